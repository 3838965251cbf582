//! The `port` resource: listening TCP and UDP sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::phase::Phase;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "port",
    "TCP or UDP port in the network namespace of the target. By default, a process must \
     listen on it. Judged in phase boot unless `phase` is set.",
    Subject::new(
        "number",
        "Port number for TCP and UDP, `tcp/22` or `udp/68` for one protocol, or `all`.",
        check_port,
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "listening",
        ValueType::Bool,
        "True if a socket listens on the port.",
    )
    .or(&["be_listening"]),
    Property::new(
        "addresses",
        ValueType::List,
        "Local addresses, such as 0.0.0.0 or ::1.",
    )
    .or(&["address"]),
    Property::new(
        "protocols",
        ValueType::List,
        "Protocols: tcp, tcp6, udp, udp6.",
    ),
    Property::new(
        "processes",
        ValueType::List,
        "Names of the programs that own the sockets. Sockets of the kernel have none.",
    ),
    Property::new(
        "listening_ports",
        ValueType::List,
        "`all`: the ports with their protocols: tcp/22.",
    ),
])
.with_defaults(&["listening"])
.with_presence("listening")
.with_phases(&[Phase::Boot])
.without_directories("a directory has no open ports")
.with_collection("", requests);

/// Shell functions. The collector always calls `listening`.
pub(crate) const SHELL: &str = include_str!("port.sh");

fn check_port(text: &str) -> Result<(), InvalidValue> {
    match parse_subject(text) {
        Some(_) => Ok(()),
        None => Err(InvalidValue::new(
            "not a valid port",
            "write a number from 1 to 65535, `tcp/22`, `udp/68` or `all`",
        )),
    }
}

/// Parses a subject: the protocol (none for both) and the port number (none for all).
fn parse_subject(text: &str) -> Option<(Option<&str>, Option<u16>)> {
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

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let owners = asked.iter().any(|one| one.properties.contains("processes"));
    if owners {
        vec!["socket_owners".to_owned()]
    } else {
        Vec::new()
    }
}

/// Listening socket.
struct Socket {
    /// Table of the kernel: `tcp`, `tcp6`, `udp`, `udp6`.
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

/// Parses lines such as `tcp6 00000000000000000000000001000000:0016 1234`.
///
/// proc_pid_net(5) has addresses as 32-bit words in host byte order. amd64 and arm64 are
/// little-endian. The port is in plain hex.
fn parse_sockets(text: &str) -> Result<Vec<Socket>, ReadError> {
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
    let unknown = |line: &str| ReadError::unknown_line("a socket", line);
    text.lines()
        .filter(|l| !l.is_empty())
        .map(|line| socket(line).ok_or_else(|| unknown(line)))
        .collect()
}

/// Parses the programs by the inode of their socket.
fn parse_owners(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (inode, name) in text.lines().filter_map(|line| line.split_once(' ')) {
        out.entry(inode.to_owned())
            .or_default()
            .insert(name.to_owned());
    }
    out
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let Some((protocol, number)) = parse_subject(&target.subject) else {
        return Observation::Unknown("not a valid port".to_owned());
    };
    view.parse_reading("listening", "", parse_sockets)
        .observe("has no network namespace", |all| {
            let fits = |s: &&Socket| {
                protocol.is_none_or(|p| p == s.protocol()) && number.is_none_or(|n| n == s.port)
            };
            let found: Vec<&Socket> = all.iter().filter(fits).collect();
            let list = |of: &dyn Fn(&Socket) -> String| {
                Observation::list(found.iter().map(|s| of(s)).collect::<BTreeSet<_>>())
            };
            match property {
                "listening" => Observation::bool(!found.is_empty()),
                "listening_ports" => {
                    let mut ports: Vec<(&str, u16)> =
                        found.iter().map(|s| (s.protocol(), s.port)).collect();
                    ports.sort_unstable();
                    ports.dedup();
                    Observation::list(
                        ports
                            .into_iter()
                            .map(|(protocol, port)| format!("{protocol}/{port}")),
                    )
                }
                _ if found.is_empty() && number.is_some() => {
                    Observation::Missing("has no listening socket".to_owned())
                }
                "addresses" => list(&|s| s.address.to_string()),
                "protocols" => list(&|s| s.table.clone()),
                _ => owning_programs(&found, view),
            }
        })
}

fn owning_programs(found: &[&Socket], view: &View<'_>) -> Observation {
    let owners: Rc<BTreeMap<String, BTreeSet<String>>> =
        match view.parse_reading("socket_owners", "", |text| Ok(parse_owners(text))) {
            Read::Present(owners) => owners,
            Read::Absent => return Observation::not_collected(),
            Read::Unreadable(why) => return why.into(),
        };
    let hidden = found
        .iter()
        .any(|socket| !owners.contains_key(&socket.inode));
    if hidden && view.identity().uid != Some(0) {
        return Observation::Unknown(
            "permission denied: only root can see the owners of sockets".to_owned(),
        );
    }
    let names = found
        .iter()
        .filter_map(|socket| owners.get(&socket.inode))
        .flatten();
    Observation::list(names.cloned().collect::<BTreeSet<_>>())
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines, refusal};

    const SOCKETS: &str = "tcp 00000000:0016 11\ntcp6 00000000000000000000000000000000:0016 12\n\
        tcp 0100007F:0035 13\ntcp6 00000000000000000000000001000000:0277 14\n\
        udp 9401A8C0:0044 15\n";

    fn judge_check(yaml: &str, uid: &str, owners: &str) -> String {
        let identity = format!("uid={uid}\nkernel=Linux\n");
        let frames = [
            ("identity", "", 0, "-", identity.as_str()),
            ("listening", "", 0, "-", SOCKETS),
            ("socket_owners", "", 0, "-", owners),
        ];
        lines(&format!("- {{port: {yaml}}}"), &frames).join("")
    }

    #[test]
    fn kernel_socket_tables_are_parsed() {
        for yaml in [
            "22",
            "tcp/22, addresses: {same_set: [\"0.0.0.0\", \"::\"]}, protocols: {same_set: [tcp, \
                tcp6]}",
            "53, addresses: {same_set: [\"127.0.0.1\"]}",
            "631, addresses: {same_set: [\"::1\"]}",
            "udp/68, addresses: {same_set: [\"192.168.1.148\"]}",
            "tcp/68, listening: false",
            "23, be_listening: false",
            "all, listening_ports: {same_set: [tcp/22, tcp/53, tcp/631, udp/68]}",
            "22, processes: {same_set: [sshd]}",
        ] {
            assert!(
                judge_check(yaml, "0", "11 sshd\n12 sshd\n99 x\n").starts_with("passed"),
                "{yaml}: {}",
                judge_check(yaml, "0", "11 sshd\n12 sshd\n")
            );
        }
        assert!(judge_check("23", "0", "").starts_with("failed"));
        assert!(
            judge_check("23, addresses: {disjoint: [x]}", "0", "").starts_with("failed"),
            "nothing listens"
        );
        assert!(lines("- {port: 22, listening: false}", &[IDENTITY])[0].starts_with("error"));
        for bad in [
            "{port: 0}",
            "{port: 70000}",
            "{port: sctp/1}",
            "{port: tcp/}",
        ] {
            assert!(refusal(bad).contains("not a valid port"), "{bad}");
        }
    }

    #[test]
    fn socket_owners_need_root() {
        assert!(
            judge_check("22, processes: {same_set: [sshd]}", "1000", "11 sshd\n")
                .starts_with("error")
        );
        assert!(
            judge_check("53, processes: {empty: true}", "0", "").starts_with("passed"),
            "sockets of the kernel have no owner"
        );
        let directory = [("identity", "", 0, "-", "uid=0\ndirectory=yes\n")];
        assert!(lines("- {port: 22}", &directory)[0].starts_with("skipped"));
    }
}
