//! What the tables of `tests/ssh_config/` cannot show: places, warnings, what ssh before 9.4 refuses, the system's file.

use std::collections::HashMap;

use super::*;

/// Files by their path; `true` for one that others may write.
#[derive(Default)]
struct Machine {
    files: HashMap<String, (bool, String)>,
    exec: Option<Exec>,
}

impl Machine {
    fn with(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.to_owned(), (false, content.to_owned()));
        self
    }

    fn lookup(&self, files: &Files, destination: &str) -> Result<HostConfig, Problems> {
        resolve(&Query::destination(destination).unwrap(), files, &local(), self)
    }
}

impl World for Machine {
    fn read(&self, path: &str, check: bool) -> Result<Vec<u8>, Fault> {
        match self.files.get(path) {
            None => Err(Fault::Absent),
            Some((true, _)) if check => Err(Fault::Permissions),
            Some((_, content)) => Ok(content.clone().into_bytes()),
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.files.keys().filter(|path| *path == pattern).cloned().collect()
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn home_of(&self, _: &str) -> Option<String> {
        None
    }

    fn exec(&self, command: &str) -> Exec {
        self.exec.unwrap_or_else(|| panic!("nothing is to be run, and least of all {command}"))
    }
}

fn local() -> Local {
    Local { user: "me".into(), home: "/home/me".into(), uid: 1000, host_name: "here.example".into() }
}

fn one(content: &str) -> HostConfig {
    Machine::default()
        .with("/c", content)
        .lookup(&Files::named("/c"), "h")
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn place<T>(value: &Located<T>) -> String {
    value.at.as_ref().map_or_else(|| "-".into(), ToString::to_string)
}

fn warnings(config: &HostConfig) -> Vec<String> {
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn every_value_has_its_line() {
    let config = one("Port 1\nHost *\n  User a\n  HostName x\n  IdentityFile i\n  ConnectTimeout 3\n\nProxyJump j\n");
    assert_eq!([place(&config.port), place(&config.user), place(&config.hostname)], ["/c:1", "/c:3", "/c:4"]);
    assert_eq!([place(&config.identity_files[0]), place(&config.connect_timeout.unwrap())], ["/c:5", "/c:6"]);
    assert_eq!(place(&config.proxy_jump.unwrap()), "/c:8");
    assert_eq!([place(&config.check_host_ip), place(&config.identity_agent)], ["-", "-"]);
}

#[test]
fn the_name_keeps_its_line_through_the_second_pass() {
    let config = one("HostName X\nMatch final host x\n  Port 2\n");
    assert_eq!((&*config.hostname.value, place(&config.hostname), config.port.value), ("x", "/c:1".into(), 2));
}

#[test]
fn the_users_file_comes_before_the_systems() {
    let machine = Machine::default()
        .with("/home/me/.ssh/config", "Include more\nUser a\n")
        .with("/home/me/.ssh/more", "IdentityFile a\n")
        .with("/etc/ssh/ssh_config", "User b\nPort 2\nIdentityFile b\nIdentityFile a\nInclude more\n")
        .with("/etc/ssh/more", "ConnectTimeout 3\n");
    let config = machine.lookup(&Files::Default, "h").unwrap();
    assert_eq!((&*config.user.value, config.port.value), ("a", 2));
    assert_eq!(config.identity_files.iter().map(|file| &*file.value).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(place(&config.connect_timeout.unwrap()), "/etc/ssh/more:1");
    let machine = Machine::default().with("/etc/ssh/ssh_config", "Include ~/x\n");
    let problems = machine.lookup(&Files::Default, "h").unwrap_err();
    assert!(problems.to_string().starts_with("/etc/ssh/ssh_config:1: ~/x: ~ has no meaning"), "{problems}");
}

#[test]
fn a_file_that_others_may_write_is_refused_unless_it_was_named() {
    let mut machine = Machine::default().with("/home/me/.ssh/config", "Port 2\n");
    machine.files.get_mut("/home/me/.ssh/config").unwrap().0 = true;
    let problems = machine.lookup(&Files::Default, "h").unwrap_err();
    assert!(problems.to_string().starts_with("/home/me/.ssh/config: it belongs to another user"), "{problems}");
    assert_eq!(machine.lookup(&Files::named("/home/me/.ssh/config"), "h").unwrap().port.value, 2);
    assert_eq!(concrete_hosts(&Files::Default, &local(), &machine).problems.len(), 1);
}

#[test]
fn exec_that_is_not_allowed_holds_neither_plain_nor_negated() {
    let text = "Match exec a\n  Port 2\nMatch !exec b\n  User u\nMatch host x exec c\n  User v\nMatch final\n";
    let machine = |exec| Machine { exec: Some(exec), ..Machine::default() }.with("/c", text);
    let config = machine(Exec::NotAllowed).lookup(&Files::named("/c"), "h").unwrap();
    assert_eq!((config.port.value, &*config.user.value), (22, "me"));
    assert_eq!(
        warnings(&config),
        [
            "/c:1: Match exec runs a command, which is not allowed here: the block is passed over",
            "/c:3: Match exec runs a command, which is not allowed here: the block is passed over",
        ]
    );
    let config = machine(Exec::Ran(false)).lookup(&Files::named("/c"), "h").unwrap();
    assert_eq!((config.port.value, &*config.user.value), (22, "u"));
    let problems = machine(Exec::Failed).lookup(&Files::named("/c"), "h").unwrap_err();
    assert_eq!(problems.0.len(), 2, "{problems}");
}

#[test]
fn nothing_is_run_behind_what_does_not_hold() {
    let machine = Machine::default().with("/c", "Host g\n  Include /i\n").with("/i", "Match exec a\nPort 2\n");
    assert_eq!(machine.lookup(&Files::named("/c"), "h").unwrap().port.value, 22);
    assert_eq!(one("Match host g exec a\n  Port 2\n").port.value, 22);
}

#[test]
fn conditions_that_are_not_supported_do_not_hold_and_are_told() {
    for condition in ["localnetwork 10.0.0.0/8", "version 9.*", "sessiontype shell", "command x"] {
        for negated in ["", "!"] {
            let config = one(&format!("Match {negated}{condition}\n  Port 2\n"));
            assert_eq!((config.port.value, config.warnings.len()), (22, 1), "{negated}{condition}");
        }
    }
}

#[test]
fn tags_match() {
    let config = one("Match tagged work\n  Port 2\nHost h\n  Tag work\nMatch tagged w*,!x\n  User a\n");
    assert_eq!((config.port.value, &*config.user.value), (22, "a"));
}

#[test]
fn canonicalisation_is_told_and_the_second_pass_made() {
    let config = one("CanonicalizeHostname yes\nCanonicalDomains example\nMatch canonical\n  Port 2\n");
    assert_eq!((config.port.value, &*config.hostname.value), (2, "h"));
    assert_eq!(warnings(&config), ["/c:1: CanonicalizeHostname is not done: the name is taken as it is"]);
}

#[test]
fn hostile_names_do_not_reach_the_shell_of_a_proxy_command() {
    let command = |text: &str| one(text).proxy_command.unwrap().value.command;
    assert_eq!(command("ProxyCommand nc %h %p %r\n").as_deref(), Ok("nc h 22 me"));
    let unsafe_name = |token, name: &str| Err(BadCommand::UnsafeName { token, name: name.into() });
    assert_eq!(command("ProxyCommand nc %h\nHostName \"a;b\"\n"), unsafe_name('h', "a;b"));
    assert_eq!(command("ProxyCommand nc %h\nHostName -oProxyCommand=x\n"), unsafe_name('h', "-oproxycommand=x"));
    assert_eq!(command("ProxyCommand nc %r\nUser $(x)\n"), unsafe_name('r', "$(x)"));
    assert_eq!(command("ProxyCommand nc %k\nHostKeyAlias `x`\n"), unsafe_name('k', "`x`"));
    assert_eq!(command("ProxyCommand nc h\nHostName \"a;b\"\n").as_deref(), Ok("nc h"));
    assert!(matches!(command("ProxyCommand nc %z\n"), Err(BadCommand::Token(_))));
}

#[test]
fn values_have_their_types() {
    let config = one("IdentityAgent none\nStrictHostKeyChecking accept-new\nAddressFamily inet6\nCheckHostIP yes\n\
        PreferredAuthentications publickey,password\nUserKnownHostsFile none\nIdentityFile none\nRequiredRSASize 3072\n");
    assert_eq!(config.identity_agent.value, IdentityAgent::None);
    assert_eq!(config.strict_host_key_checking.value, StrictHostKeyChecking::AcceptNew);
    assert_eq!((config.address_family.value, config.check_host_ip.value), (AddressFamily::Inet6, true));
    assert_eq!(config.preferred_authentications.unwrap().value, ["publickey", "password"]);
    assert!(config.user_known_hosts.is_empty() && config.identity_files.is_empty() && config.identity_files_named);
    assert_eq!(config.required_rsa_size.unwrap().value, 3072);
    assert_eq!(config.global_known_hosts[1].value, "/etc/ssh/ssh_known_hosts2");
    let config = one("IdentityAgent $AGENT\n");
    assert_eq!(config.identity_agent.value, IdentityAgent::Variable("AGENT".into()));
    assert_eq!((config.identity_files.len(), config.identity_files_named), (7, false));
    assert_eq!(config.identity_files[3].value, "/home/me/.ssh/id_ed25519");
    assert_eq!(config.user_known_hosts[0].value, "/home/me/.ssh/known_hosts");
}

#[test]
fn concrete_hosts_are_those_named_without_wildcards() {
    let machine = Machine::default()
        .with(
            "/c",
            "Host a *.x !b c?d e\nInclude /i\nHost \"f g\" a\nMatch host m\n  Include /i\nHost \"x\nHost q !q\n",
        )
        .with("/i", "Host=i a # comment\n  Include /i\n");
    let found = concrete_hosts(&Files::named("/c"), &local(), &machine);
    let names: Vec<String> = found.hosts.iter().map(|host| format!("{} {}", host.value, place(host))).collect();
    assert_eq!(names, ["a /c:1", "e /c:1", "i /i:1", "f g /c:3"]);
    let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["/c:6: a quote is not closed"]);
    let missing = concrete_hosts(&Files::named("/missing"), &local(), &machine);
    assert_eq!((missing.hosts.len(), missing.problems.len()), (0, 1));
    assert_eq!(concrete_hosts(&Files::Default, &local(), &machine), ConcreteHosts::default());
}
