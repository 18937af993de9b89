//! The connection that logs in: from a stream that is up to evidence.

use sshprobe_probes::case::{Connect, LoginOrder};
use sshprobe_probes::evidence::{Auth, Errno, Evidence, Fault};
use sshprobe_probes::probe::Leave;
use sshprobe_probes::stage::ident;
use sshprobe_probes::time::Moment;

use crate::login::Credentials;
use crate::login::channel::Session;
use crate::login::fence::{Fence, Seen};
use crate::login::session::{Terms, Told, login};
use crate::sys::clock::Clock;
use crate::transport::{PathEnd, Stream};

/// Logs in. Who `stays` gets the session if that succeeds; else it has been left again.
pub(super) async fn log_in<S: Stream>(
    stream: S,
    evidence: Evidence,
    connect: &Connect,
    order: &LoginOrder,
    credentials: &Credentials,
    clock: Clock,
    stays: bool,
) -> (Evidence, PathEnd, Option<Session>) {
    let (fence, key) = Fence::around(stream, |stream: &S, error| stream.outlived(error).is_some());
    let ident = String::from_utf8_lossy(&connect.plan.ident).into_owned();
    let terms = Terms {
        user: &connect.plan.user,
        ident: &ident,
        order,
        speak_after: connect.plan.speak_after,
        deadline: clock.instant(evidence.started + connect.plan.timeout),
        // A session that is kept is silent for as long as nobody needs it.
        inactivity: (!stays).then_some(connect.plan.timeout),
    };
    let (told, session) = login(fence, &key, terms, credentials).await;
    let evidence = seen(told, evidence, connect, clock.now());
    match session {
        Some(session) if stays => return (evidence, PathEnd::default(), Some(session)),
        Some(session) => session.leave().await,
        None => {}
    }
    let end = match key.take() {
        Some(stream) => stream.leave(Leave::Close, true).await,
        None => PathEnd::default(),
    };
    (evidence, end, None)
}

/// What a login comes to as evidence.
fn seen(told: Told, evidence: Evidence, connect: &Connect, left: Moment) -> Evidence {
    let Seen { received, head, error, .. } = told.seen;
    let mut evidence = Evidence { ended: left, received, login: Some(Box::new(told.login)), ..evidence };
    (evidence.stage, evidence.fault, evidence.disconnect) = (told.stage, told.fault, told.disconnect);
    evidence.host_key = told.other_key;
    if matches!(evidence.fault, Some(Fault::Reset | Fault::Lost)) {
        evidence.path.errno = error.or(Some(Errno::ECONNRESET));
    }
    if !told.banner.is_empty() {
        evidence.auth = Some(Auth {
            user: connect.plan.user.clone(),
            service_accepted: true,
            banner: told.banner,
            banner_truncated: told.banner_truncated,
            ..Auth::default()
        });
    }
    let at = evidence.ended.since(evidence.started);
    ident::reread(&head, at, &mut evidence);
    evidence
}
