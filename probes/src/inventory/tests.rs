//! Whole inventories in both formats.

use super::*;

/// A host in one line: name, address, port, user, groups.
fn told(host: &InventoryHost) -> String {
    let port = host.port.as_ref().map_or("-".into(), |port| port.value.to_string());
    let user = host.user.as_ref().map_or("-", |user| &user.value);
    format!("{} {} {port} {user} {}", host.name, host.address.value, host.groups.join(","))
}

fn hosts(file: &str, content: &str) -> Vec<String> {
    let inventory = parse(file, content.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    inventory.hosts.iter().map(told).collect()
}

fn problems(file: &str, content: &str) -> Vec<String> {
    parse(file, content.as_bytes()).expect_err("faulty").iter().map(ToString::to_string).collect()
}

#[test]
fn an_ini_file() {
    let content = "\
# a comment
alone ansible_host=192.0.2.1
other:2222

[web]
web[01:02] ansible_user=www ; 
web[1:2].x ansible_port=23 # a comment
[2001:db8::1]:2200

[db]
db-[a:b] ansible_ssh_host=\"10.0.0.1\" ansible_host=10.0.0.2
web01

[db:vars]
ansible_user = postgres
ansible_port=2022 # of the databases

[prod:children]
web
db # the data

[prod:vars]
ansible_user=prod
ansible_port=1
[all:vars]
ansible_user=everybody
";
    let content = content.replace(" ; ", "");
    assert_eq!(
        hosts("hosts", &content),
        [
            "alone 192.0.2.1 - everybody ungrouped",
            "other other 2222 everybody ungrouped",
            "web01 web01 2022 www db,prod,web",
            "web02 web02 1 www prod,web",
            "web1.x web1.x 23 prod prod,web",
            "web2.x web2.x 23 prod prod,web",
            "2001:db8::1 2001:db8::1 2200 prod prod,web",
            "db-a 10.0.0.1 2022 postgres db,prod",
            "db-b 10.0.0.1 2022 postgres db,prod",
        ]
    );
    let inventory = parse("hosts", content.as_bytes()).unwrap();
    assert_eq!(inventory.hosts_of("db").map(|host| &*host.name).collect::<Vec<_>>(), ["web01", "db-a", "db-b"]);
    assert_eq!(inventory.hosts_of("all").count(), 9);
    assert_eq!(
        inventory.groups.iter().map(|group| &*group.name).collect::<Vec<_>>(),
        ["all", "db", "prod", "ungrouped", "web"]
    );
    let web = &inventory.hosts[3];
    assert_eq!(web.at.to_string(), "hosts:6");
    assert_eq!(web.user.as_ref().and_then(|user| user.at.clone()).unwrap().to_string(), "hosts:6");
    assert_eq!(web.port.as_ref().and_then(|port| port.at.clone()).unwrap().to_string(), "hosts:24");
}

#[test]
fn a_yaml_file() {
    let content = "\
all:
  vars:
    ansible_user: everybody
  hosts:
    alone:
      ansible_host: 192.0.2.1
    bare:
  children:
    web:
      hosts:
        web[01:02]:
          ansible_port: 2222
      vars: &web
        ansible_user: www
    db:
      hosts: {db-a: {ansible_host: 10.0.0.1, ansible_port: 22}, web01: }
      vars:
        <<: *web
        ansible_port: 7
    prod:
      children:
        web: {}
        db:
";
    let expected = [
        "alone 192.0.2.1 - everybody ungrouped",
        "bare bare - everybody ungrouped",
        "web01 web01 2222 www db,prod,web",
        "web02 web02 2222 www prod,web",
        "db-a 10.0.0.1 22 www db,prod",
    ];
    assert_eq!(hosts("hosts.yml", content), expected);
    assert_eq!(hosts("hosts", content), expected);
    let inventory = parse("hosts.yml", content.as_bytes()).unwrap();
    assert_eq!(inventory.hosts[3].at.to_string(), "hosts.yml:11");
    assert_eq!(inventory.hosts[3].port.as_ref().and_then(|port| port.at.clone()).unwrap().to_string(), "hosts.yml:12");
}

#[test]
fn json_is_yaml() {
    let content = r#"{"all": {"hosts": {"a": {"ansible_port": 2222}, "b": null}}}"#;
    assert_eq!(hosts("hosts.json", content), ["a a 2222 - ungrouped", "b b - - ungrouped"]);
}

#[test]
fn a_plain_list_of_hosts_is_ini_whatever_its_name() {
    for name in ["hosts", "hosts.txt", "hosts.ini", ".hosts"] {
        assert_eq!(hosts(name, "a\nb\n"), ["a a - - ungrouped", "b b - - ungrouped"], "{name}");
    }
    assert_eq!(hosts("hosts", ""), [""; 0]);
    assert_eq!(hosts("hosts.yml", "---\n"), [""; 0]);
}

#[test]
fn every_fault_is_told_with_its_line() {
    let content = "\
[web
a[3:1]
b 'c
d e
f:
[g:kind]
[g:vars]
[h:children]
nobody
two words
[web:hosts]
i ansible_port=0
";
    assert_eq!(
        problems("hosts.ini", content),
        [
            "hosts.ini:1: \"[web\" is no section",
            "hosts.ini:2: \"a[3:1]\" has a range that ends before it begins",
            "hosts.ini:3: a quote is not closed",
            "hosts.ini:4: behind a host stand variables as name=value, not \"e\"",
            "hosts.ini:5: \"f:\" names no host",
            "hosts.ini:6: a section is NAME, NAME:children or NAME:vars, not g:kind",
            "hosts.ini:10: \"two words\" names no group",
            "hosts.ini:9: h is to have a child nobody, which has no section",
            "hosts.ini:12: \"0\" is no port",
        ]
    );
    assert_eq!(
        problems("hosts.ini", "[a:vars]\nx=1\n"),
        ["hosts.ini:1: variables for a, which has no section of its own"]
    );
    assert_eq!(
        problems("hosts.ini", "[a:children]\nb\n[b:children]\na\n"),
        ["hosts.ini: the group \"a\" is among its own children"]
    );
    let content =
        "all:\n  hosts: [a, b]\n  children:\n    web: x\n  other:\n    - 1\ndb:\n  hosts:\n    c: 1\n    [d]:\n";
    assert_eq!(
        problems("hosts.yml", content),
        [
            "hosts.yml:2: hosts is to be a mapping, each name with a colon behind it, not a list",
            "hosts.yml:4: the group web is to be a mapping of hosts, vars and children",
            "hosts.yml:9: the variables of c are to be a mapping",
            "hosts.yml:10: a name is to stand here",
        ]
    );
    assert_eq!(
        problems("hosts.yml", "a: {}\n---\nb: {}\n"),
        ["hosts.yml:2: a second document begins; an inventory is one"]
    );
    assert_eq!(problems("hosts.yml", "- a\n- b\n"), ["hosts.yml:1: an inventory is a mapping of groups"]);
    assert!(problems("hosts.yml", "a: [\nb: {")[0].starts_with("hosts.yml:"));
    assert!(problems("hosts.yml", "a:\n  b: *c\n")[0].starts_with("hosts.yml:2: "));
    assert_eq!(problems("hosts.ini", "\u{fffd}a [1:").len(), 1);
    assert_eq!(parse("hosts", b"\xff").unwrap_err().len(), 1);
}

#[test]
fn templates_are_not_taken_for_hosts() {
    let content = "a ansible_host=\"{{ x }}\"\nb ansible_user='{{ y }}'\nc ansible_port={{z}}\nd\n";
    let inventory = parse("hosts.ini", content.as_bytes()).unwrap();
    assert_eq!(inventory.hosts.iter().map(told).collect::<Vec<_>>(), ["b b - - ungrouped", "d d - - ungrouped"]);
    let warnings: Vec<String> = inventory.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "hosts.ini:1: a is left out: where it is, is a template, which only Ansible can fill",
            "hosts.ini:2: the user of b is a template, which only Ansible can fill",
            "hosts.ini:3: c is left out: where it is, is a template, which only Ansible can fill",
        ]
    );
}

#[test]
fn aliases_of_aliases_end() {
    let mut content = String::from("x0: &x0 {hosts: {a: }}\n");
    for level in 1..40 {
        let below = level - 1;
        content.push_str(&format!("x{level}: &x{level} {{children: {{a{level}: *x{below}, b{level}: *x{below}}}}}\n"));
    }
    assert!(problems("hosts.yml", &content).iter().any(|problem| problem.contains("too big")));
}
