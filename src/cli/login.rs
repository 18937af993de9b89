//! `--depth login` and what goes with it: what to log in with.

use std::path::PathBuf;

use clap::Args;
use sshprobe_probes::plan::Depth;

use crate::error::Error;
use crate::login::{Given, auth_sock};
use crate::report::next::quote;

/// Keys to log in with.
#[derive(Debug, Clone, Default, Args)]
pub struct IdentityArgs {
    /// Log in with the private key in FILE, and with the certificate in FILE-cert.pub if there is one; may be repeated. A passphrase is asked for once, on the terminal or by SSH_ASKPASS, and not if the agent behind SSH_AUTH_SOCK has the key
    #[arg(short, long = "identity", value_name = "FILE")]
    pub identities: Vec<PathBuf>,
    /// Show the certificate in FILE for one of the keys given; may be repeated
    #[arg(long = "certificate", value_name = "FILE", requires = "identities")]
    pub certificates: Vec<PathBuf>,
    /// Log in with the keys of the agent behind SSH_AUTH_SOCK
    #[arg(long)]
    pub agent: bool,
}

/// What to log in with. Nothing is tried that is not given here.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Login")]
pub struct LoginArgs {
    /// Its keys.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Log in with the password in the first line of FILE; only a host whose key is the one known gets it
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Answer keyboard-interactive by the lines of FILE, `PROMPT = ANSWER`: the first unused one whose PROMPT the server's prompt begins with, or * for any; only a host whose key is the one known gets them
    #[arg(long, value_name = "FILE")]
    pub answers_file: Option<PathBuf>,
    /// Give passwords and answers to hosts whose key is not known, too; never to one whose key is another than the one known
    #[arg(long)]
    pub accept_new: bool,
    /// Ask only whether the keys would be accepted; nothing is signed, and nobody is logged in
    #[arg(long, conflicts_with_all = ["password_file", "answers_file", "accept_new"])]
    pub query_keys: bool,
}

/// What was asked for, checked; nothing is read yet.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The files, and whether the agent is asked.
    pub given: Given,
    /// Secrets may go to hosts that nobody knows.
    pub accept_new: bool,
}

impl Login {
    /// Checks that depth and options go together. `hops`: there may be jump hosts, and keys that a file names for a host.
    ///
    /// # Errors
    /// A line that names the option and the remedy.
    pub(super) fn new(args: LoginArgs, depth: Depth, hops: bool) -> Result<Self, Error> {
        let LoginArgs { identity, password_file, answers_file, accept_new, query_keys } = args;
        let IdentityArgs { identities, certificates, agent } = identity;
        // As for ssh: it may have keys that were named, and none of its others is asked for.
        let holders = Vec::from_iter(auth_sock());
        let named = [
            ("-i", !identities.is_empty()),
            ("--agent", agent),
            ("--password-file", password_file.is_some()),
            ("--answers-file", answers_file.is_some()),
            ("--query-keys", query_keys),
            ("--accept-new", accept_new),
        ];
        if depth < Depth::Login {
            let for_hops = |option: &str| hops && matches!(option, "-i" | "--agent");
            let idle = named.iter().find(|(option, given)| *given && !for_hops(option));
            return match idle {
                Some((option, _)) => {
                    let way = match *option {
                        "-i" | "--agent" => ", or a jump host with -J",
                        // Those get keys only.
                        _ => "",
                    };
                    let fault = format!("{option}: it is for logging in; give --depth login{way}, or leave it away");
                    Err(Error::usage(fault))
                }
                None => {
                    let given = Given { identities, certificates, agent, holders, ..Given::default() };
                    Ok(Self { given, accept_new: false })
                }
            };
        }
        let given = Given {
            identities,
            certificates,
            agent,
            agent_socket: None,
            holders,
            password: password_file,
            answers: answers_file,
            query_only: query_keys,
        };
        if given.is_empty() && !hops {
            return Err(Error::usage(
                "--depth login: there is nothing to log in with; give -i FILE, --agent, --password-file FILE or --answers-file FILE",
            ));
        }
        if query_keys && given.identities.is_empty() && !agent {
            return Err(Error::usage("--query-keys: no key is given; give -i FILE or --agent"));
        }
        Ok(Self { given, accept_new })
    }

    /// The options as they would be typed again, with a blank after each.
    pub(super) fn options(&self) -> String {
        let mut out = String::new();
        let mut file = |option: &str, path: &PathBuf| out += &format!("{option} {} ", quote(&path.to_string_lossy()));
        self.given.identities.iter().for_each(|path| file("-i", path));
        self.given.certificates.iter().for_each(|path| file("--certificate", path));
        self.given.password.iter().for_each(|path| file("--password-file", path));
        self.given.answers.iter().for_each(|path| file("--answers-file", path));
        for (given, option) in [
            (self.given.agent, "--agent "),
            (self.accept_new, "--accept-new "),
            (self.given.query_only, "--query-keys "),
        ] {
            out += if given { option } else { "" };
        }
        out
    }

    /// What the plan says of it: what is sent to whom.
    pub(super) fn plan(&self) -> String {
        let mut sent = Vec::new();
        let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        if !self.given.identities.is_empty() {
            sent.push(many(self.given.identities.len(), "key"));
        }
        if self.given.agent {
            sent.push(String::from("the agent's keys"));
        }
        let keys = sent.join(" and ");
        if self.given.query_only {
            return format!("whether {keys} would be accepted is asked; nothing is signed");
        }
        let mut out = String::new();
        if !keys.is_empty() {
            out += &format!("by {keys}, to every host whose key is not a wrong one");
        }
        let mut secrets = Vec::new();
        if self.given.answers.is_some() {
            secrets.push("the answers");
        }
        if self.given.password.is_some() {
            secrets.push("the password");
        }
        if !secrets.is_empty() {
            let whom =
                if self.accept_new { "hosts whose key is known or new" } else { "hosts whose key is the one known" };
            let and = if out.is_empty() { "" } else { "; " };
            out += &format!("{and}{} to {whom}", secrets.join(" and "));
        }
        format!("{out}; 1 connection more to each target, at most 5 refusals on it")
    }
}
