//! The `port` resource: what waits for connections or datagrams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::phase::Phase;
use crate::text::brief;

pub(crate) static KIND: Kind = Kind {
    name: "port",
    doc: "A port of TCP or UDP in the target's own network namespace; with nothing else: something listens there. Judged in \
          phase boot unless `phase` says more.",
    subject: Subject {
        name: "number",
        doc: "A number, of TCP or UDP; `tcp/22` or `udp/68` of one of them; all ports: `all`.",
        words: &[],
        check: check_port,
    },
    parameters: &[],
    properties: &[
        Property::new("listening", Of::Bool, "Whether anything waits there.").or(&["be_listening"]),
        Property::new(
            "addresses",
            Of::List,
            "The addresses, such as 0.0.0.0, ::1.",
        )
        .or(&["address"]),
        Property::new("protocols", Of::List, "tcp, tcp6, udp, udp6."),
        Property::new(
            "processes",
            Of::List,
            "The programs whose sockets they are; none for the kernel's own.",
        ),
        Property::new(
            "listening_ports",
            Of::List,
            "Each with its protocol: tcp/22.",
        ),
    ],
    open: None,
    by_default: &["listening"],
    implied: &[],
    presence: Some("listening"),
    phases: &[Phase::Boot],
    not_in_directory: Some("nothing listens in a directory"),
    shell: "",
    requests,
    observe,
};

/// The functions; [`listening`](KIND) is in the base set.
pub(crate) const SHELL: &str = include_str!("port.sh");

fn check_port(text: &str) -> Result<(), (String, &'static str)> {
    match wanted(text) {
        Some(_) => Ok(()),
        None => Err((
            "it is no port".to_owned(),
            "write a number from 1 to 65535, `tcp/22`, `udp/68` or `all`",
        )),
    }
}

/// The protocol, if one is meant, and the number, if not all are.
fn wanted(text: &str) -> Option<(Option<&str>, Option<u16>)> {
    if text == "all" {
        return Some((None, None));
    }
    let (protocol, number) = text
        .split_once('/')
        .map_or((None, text), |(protocol, number)| (Some(protocol), number));
    let known = protocol.is_none_or(|p| ["tcp", "udp"].contains(&p));
    let number = number.parse().ok().filter(|n| *n != 0)?;
    known.then_some((protocol, Some(number)))
}

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let owners = asked.iter().any(|one| one.properties.contains("processes"));
    if owners {
        vec!["socket_owners".to_owned()]
    } else {
        Vec::new()
    }
}

/// One socket.
struct Socket {
    /// `tcp`, `tcp6`, `udp`, `udp6`.
    table: String,
    address: IpAddr,
    port: u16,
    inode: String,
}

impl Socket {
    fn protocol(&self) -> &str {
        self.table.trim_end_matches('6')
    }
}

/// Lines such as `tcp6 00000000000000000000000001000000:0016 1234`: proc_pid_net(5) has addresses as 32-bit words in the order
/// of the machine's bytes, taken for little-endian as amd64 and arm64 are, and the port in plain hex.
fn sockets(text: &str) -> Result<Vec<Socket>, String> {
    let socket = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [table, local, inode] = words.as_slice() else {
            return None;
        };
        let (address, port) = local.split_once(':')?;
        let word = |at: usize| {
            u32::from_str_radix(address.get(at..at + 8)?, 16)
                .ok()
                .map(u32::swap_bytes)
        };
        let address = match address.len() {
            8 => IpAddr::V4(Ipv4Addr::from_bits(word(0)?)),
            32 => {
                let words = [word(0)?, word(8)?, word(16)?, word(24)?];
                IpAddr::V6(Ipv6Addr::from_bits(
                    words
                        .iter()
                        .fold(0, |all, word| all << 32 | u128::from(*word)),
                ))
            }
            _ => return None,
        };
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(Socket {
            table: (*table).to_owned(),
            address,
            port,
            inode: (*inode).to_owned(),
        })
    };
    let unknown = |line: &str| format!("a socket has an unknown form: {}", brief(line.as_bytes()));
    text.lines()
        .filter(|l| !l.is_empty())
        .map(|line| socket(line).ok_or_else(|| unknown(line)))
        .collect()
}

/// Programs by the inode of their socket.
fn owners(text: &str) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (inode, name) in text.lines().filter_map(|line| line.split_once(' ')) {
        out.entry(inode.to_owned())
            .or_default()
            .insert(name.to_owned());
    }
    Ok(out)
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let Some((protocol, number)) = wanted(&target.subject) else {
        return Observed::Unknown("it is no port".to_owned());
    };
    view.parsed("listening", "", sockets)
        .observe("has no network", |all| {
            let fits = |s: &&Socket| {
                protocol.is_none_or(|p| p == s.protocol()) && number.is_none_or(|n| n == s.port)
            };
            let found: Vec<&Socket> = all.iter().filter(fits).collect();
            let list = |of: &dyn Fn(&Socket) -> String| {
                Observed::list(found.iter().map(|s| of(s)).collect::<BTreeSet<_>>())
            };
            match property {
                "listening" => Observed::bool(!found.is_empty()),
                "listening_ports" => {
                    let mut ports: Vec<(&str, u16)> =
                        found.iter().map(|s| (s.protocol(), s.port)).collect();
                    ports.sort_unstable();
                    ports.dedup();
                    Observed::list(
                        ports
                            .into_iter()
                            .map(|(protocol, port)| format!("{protocol}/{port}")),
                    )
                }
                _ if found.is_empty() && number.is_some() => {
                    Observed::Missing("is not listened on".to_owned())
                }
                "addresses" => list(&|s| s.address.to_string()),
                "protocols" => list(&|s| s.table.clone()),
                _ => processes(&found, view),
            }
        })
}

fn processes(found: &[&Socket], view: &View<'_>) -> Observed {
    let owners: Rc<BTreeMap<String, BTreeSet<String>>> =
        match view.parsed("socket_owners", "", owners) {
            Seen::Present(owners) => owners,
            Seen::Absent => return Observed::uncollected(),
            Seen::Unknown(why) => return Observed::Unknown(why),
        };
    let hidden = found
        .iter()
        .any(|socket| !owners.contains_key(&socket.inode));
    if hidden && view.identity().uid != Some(0) {
        return Observed::Unknown(
            "permission denied: only root sees whose sockets they are".to_owned(),
        );
    }
    let names = found
        .iter()
        .filter_map(|socket| owners.get(&socket.inode))
        .flatten();
    Observed::list(names.cloned().collect::<BTreeSet<_>>())
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines, refusal};

    const SOCKETS: &str = "tcp 00000000:0016 11\ntcp6 00000000000000000000000000000000:0016 12\ntcp 0100007F:0035 13\n\
        tcp6 00000000000000000000000001000000:0277 14\nudp 9401A8C0:0044 15\n";

    fn told(yaml: &str, uid: &str, owners: &str) -> String {
        let identity = format!("uid={uid}\nkernel=Linux\n");
        let frames = [
            ("identity", "", 0, "-", identity.as_str()),
            ("listening", "", 0, "-", SOCKETS),
            ("socket_owners", "", 0, "-", owners),
        ];
        lines(&format!("- {{port: {yaml}}}"), &frames).join("")
    }

    #[test]
    fn ports_are_read_as_the_kernel_writes_them() {
        for yaml in [
            "22",
            "tcp/22, addresses: {same_set: [\"0.0.0.0\", \"::\"]}, protocols: {same_set: [tcp, tcp6]}",
            "53, addresses: {same_set: [\"127.0.0.1\"]}",
            "631, addresses: {same_set: [\"::1\"]}",
            "udp/68, addresses: {same_set: [\"192.168.1.148\"]}",
            "tcp/68, listening: false",
            "23, be_listening: false",
            "all, listening_ports: {same_set: [tcp/22, tcp/53, tcp/631, udp/68]}",
            "22, processes: {same_set: [sshd]}",
        ] {
            assert!(
                told(yaml, "0", "11 sshd\n12 sshd\n99 x\n").starts_with("passed"),
                "{yaml}: {}",
                told(yaml, "0", "11 sshd\n12 sshd\n")
            );
        }
        assert!(told("23", "0", "").starts_with("failed"));
        assert!(
            told("23, addresses: {disjoint: [x]}", "0", "").starts_with("failed"),
            "nothing listens"
        );
        assert!(lines("- {port: 22, listening: false}", &[IDENTITY])[0].starts_with("error"));
        for bad in [
            "{port: 0}",
            "{port: 70000}",
            "{port: sctp/1}",
            "{port: tcp/}",
        ] {
            assert!(refusal(bad).contains("it is no port"), "{bad}");
        }
    }

    #[test]
    fn whose_a_socket_is_only_root_knows() {
        assert!(
            told("22, processes: {same_set: [sshd]}", "1000", "11 sshd\n").starts_with("error")
        );
        assert!(
            told("53, processes: {empty: true}", "0", "").starts_with("passed"),
            "the kernel's own"
        );
        let directory = [("identity", "", 0, "-", "uid=0\ndirectory=yes\n")];
        assert!(lines("- {port: 22}", &directory)[0].starts_with("skipped"));
    }
}
