//! What no prober can do without, each part timed by the CPU it costs.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey as SignatureKey};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// CPU time this process has used.
pub(crate) fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// CPU time of one call of `work`, over `calls` of them on each of so many threads at once.
fn each(threads: usize, calls: u32, work: impl Fn() + Sync) -> Duration {
    let before = cpu();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..calls).for_each(|_| work()));
        }
    });
    (cpu() - before) / calls / u32::try_from(threads).expect("a few")
}

/// The parts of the floor.
pub(crate) struct Floor {
    pub(crate) tcp: Duration,
    pub(crate) x25519: Duration,
    pub(crate) ed25519: Duration,
}

impl Floor {
    pub(crate) fn sum(&self) -> Duration {
        self.tcp + self.x25519 + self.ed25519
    }

    /// Measures with so many calls of each on each of so many threads, against `addr`, where somebody accepts. What costs CPU time
    /// depends on who else is at work: two processors may be one core.
    pub(crate) fn measure(addr: SocketAddr, calls: u32, threads: usize) -> Self {
        let each = |work: &(dyn Fn() + Sync)| each(threads, calls, work);
        let tcp = each(&|| drop(TcpStream::connect(addr).expect("connect")));
        let peer = PrivateKey::generate(&agreement::X25519).expect("key");
        let peer = peer.compute_public_key().expect("public key");
        let x25519 = each(&|| {
            let ours = PrivateKey::generate(&agreement::X25519).expect("key");
            std::hint::black_box(ours.compute_public_key().expect("public key"));
            let theirs = UnparsedPublicKey::new(&agreement::X25519, peer.as_ref());
            agreement::agree(&ours, theirs, (), |secret| Ok::<_, ()>(std::hint::black_box(secret[0])))
                .expect("agreement");
        });
        let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).expect("key pair");
        let message = [9; 32];
        let signature = pair.sign(&message);
        let ed25519 = each(&|| {
            let key = SignatureKey::new(&ED25519, pair.public_key().as_ref());
            key.verify(&message, signature.as_ref()).expect("signature");
        });
        Self { tcp, x25519, ed25519 }
    }
}
