//! A server on loopback that keeps accounts of its clients as OpenSSH 9.8 and later do (PerSourcePenalties).

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};
use russh::server::{Auth, Config, Handler};
use sshprobe::demo::{converse, moment};
use sshprobe_probes::govern::penalty::Class;
use sshprobe_probes::random::Seed;
use sshprobe_probes::responder::{Responder, Script, SourcePenalties};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What became of one connection: the charge, or `None` for one that was turned away.
pub(crate) type Served = Option<Class>;

/// Serves until dropped.
pub(crate) struct Accountant {
    pub(crate) addr: SocketAddr,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

/// What serves those who are admitted.
#[derive(Clone)]
pub(crate) enum Server {
    Scripted(Arc<Script>),
    /// With host keys of four types, under the name of an OpenSSH.
    Russh(Arc<Config>),
}

impl Server {
    pub(crate) fn scripted(script: Script) -> Self {
        Self::Scripted(Arc::new(script))
    }

    pub(crate) fn with_many_keys(ident: &'static str) -> Self {
        let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
        let types = curves.map(|curve| Algorithm::Ecdsa { curve }).into_iter().chain([Algorithm::Ed25519]);
        let key = |kind| PrivateKey::random(&mut russh::keys::key::safe_rng(), kind).expect("a key");
        Self::Russh(Arc::new(Config {
            server_id: russh::SshId::Standard(ident.into()),
            keys: types.map(key).collect(),
            // Its delay against guessers is not what is tested.
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        }))
    }

    /// Serves one connection to its end; whether the client named a user.
    async fn serve(self, stream: TcpStream, seed: u8, begun: Instant) -> bool {
        match self {
            Self::Scripted(script) => {
                let mut responder = Responder::new(script, Seed([seed; 32]), moment(begun));
                // A client that goes away is its own affair, and is charged all the same.
                let _ = converse(&stream, &mut responder, begun).await;
                responder.user_was_named()
            }
            Self::Russh(config) => {
                let named = Arc::<AtomicBool>::default();
                if let Ok(session) = russh::server::run_stream(config, stream, Refuse(Arc::clone(&named))).await {
                    let _ = session.await;
                }
                named.load(Ordering::Relaxed)
            }
        }
    }
}

/// Lets nobody in, and notes that somebody asked.
struct Refuse(Arc<AtomicBool>);

impl Handler for Refuse {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, Self::Error> {
        self.0.store(true, Ordering::Relaxed);
        Ok(Auth::reject())
    }
}

struct State {
    accounts: SourcePenalties,
    served: Vec<Served>,
    begun: Instant,
}

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Accountant {
    /// Whoever names a user is charged as `named` when the connection ends, and anybody else as [`Class::NoAuth`].
    pub(crate) fn start(server: Server, named: Class) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let state = State { accounts: SourcePenalties::new(), served: Vec::new(), begun: Instant::now() };
        let state = Arc::new(Mutex::new(state));
        runtime.spawn(listen(listener, server, named, Arc::clone(&state)));
        Self { addr, state, _runtime: runtime }
    }

    /// Somebody else behind the same address has cost it this.
    pub(crate) fn burden(&self, class: Class, times: usize) {
        let mut state = self.state.lock().expect("whole");
        let now = moment(state.begun);
        for _ in 0..times {
            state.accounts.charge(SOURCE, class, now);
        }
    }

    /// What became of every connection, in the order in which they ended.
    pub(crate) fn served(&self) -> Vec<Served> {
        self.state.lock().expect("whole").served.clone()
    }
}

async fn listen(listener: TcpListener, server: Server, named: Class, state: Arc<Mutex<State>>) {
    let mut counter = 0u8;
    while let Ok((stream, _)) = listener.accept().await {
        counter = counter.wrapping_add(1);
        let begun = {
            let mut state = state.lock().expect("whole");
            let now = moment(state.begun);
            if !state.accounts.admits(SOURCE, now) {
                state.served.push(None);
                refuse(stream);
                continue;
            }
            state.begun
        };
        let (server, state) = (server.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let class = if server.serve(stream, counter, begun).await { named } else { Class::NoAuth };
            let mut state = state.lock().expect("whole");
            state.accounts.charge(SOURCE, class, moment(begun));
            state.served.push(Some(class));
        });
    }
}

/// As sshd's listener does it: a line, and gone.
fn refuse(stream: TcpStream) {
    let mut stream = stream.into_std().expect("a socket");
    let _ = stream.write_all(SourcePenalties::REFUSAL);
}
