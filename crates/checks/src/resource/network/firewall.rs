//! The `firewall` resource: the rules of a packet filter as its tool prints them.

use std::collections::BTreeSet;

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "firewall",
    "Packet filter rules in the network namespace of the target, as `nft list ruleset`, \
     `iptables-save` and `ip6tables-save` print them, without counters. The collector needs \
     root to read them.",
    Subject::one_of(
        "tool",
        "Tool: nft, iptables or ip6tables.",
        &["nft", "iptables", "ip6tables"],
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "rules",
        ValueType::List,
        "Rules, such as `-A INPUT -p tcp --dport 22 -j ACCEPT` or `tcp dport 22 accept`.",
    ),
    Property::new(
        "tables",
        ValueType::List,
        "Tables, such as `inet filter` (nft) or `filter` (iptables).",
    ),
    Property::new(
        "policies",
        ValueType::List,
        "Default policies: `inet filter input drop` (nft), `filter INPUT DROP` (iptables).",
    ),
    Property::new(
        "files",
        ValueType::List,
        "Non-empty files from which rules are loaded at boot.",
    ),
])
.with_collection(include_str!("firewall.sh"), requests);

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let tools: BTreeSet<&str> = asked
        .iter()
        .filter(|one| one.properties.iter().any(|property| property != "files"))
        .map(|one| one.target.subject.as_str())
        .filter(|tool| RESOURCE_TYPE.subject.words.contains(tool))
        .collect();
    let files = "from /etc/nftables.conf /etc/iptables/rules.v4 /etc/iptables/rules.v6 \
        /etc/sysconfig/iptables /etc/sysconfig/ip6tables; listing firewall_files 0 -name '*'";
    let asks = tools
        .into_iter()
        .map(|tool| format!("[ -n \"$R\" ] || firewall {tool}"));
    std::iter::once(files.to_owned()).chain(asks).collect()
}

/// Parsed output of a tool.
#[derive(Debug, Default)]
struct Ruleset {
    rules: Vec<String>,
    tables: Vec<String>,
    policies: Vec<String>,
}

/// Parses `iptables-save`: `*table`, `:CHAIN POLICY [0:0]`, `-A …`. A user-defined chain has the
/// policy `-`.
fn parse_iptables(text: &str) -> Ruleset {
    let mut out = Ruleset::default();
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('*') {
            out.tables.push(table.to_owned());
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            if let (Some(name), Some(policy), Some(table)) =
                (words.next(), words.next(), out.tables.last())
                && policy != "-"
            {
                out.policies.push(format!("{table} {name} {policy}"));
            }
        } else if line.starts_with('-') {
            out.rules.push(line.to_owned());
        }
    }
    out
}

/// Parses `nft list ruleset`: `table FAMILY NAME {`, `chain NAME {`, `type … policy drop;`, rules,
/// `}`. Sets and maps are not rules.
fn parse_nft(text: &str) -> Ruleset {
    let mut out = Ruleset::default();
    let (mut chain, mut depth) = (None::<String>, 0_usize);
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line
            .strip_prefix("table ")
            .and_then(|rest| rest.strip_suffix('{'))
        {
            out.tables.push(name.trim().to_owned());
        } else if depth == 1
            && let Some(name) = line
                .strip_prefix("chain ")
                .and_then(|rest| rest.strip_suffix('{'))
        {
            chain = Some(name.trim().to_owned());
        } else if depth == 2
            && line != "}"
            && let Some(name) = &chain
        {
            if line.starts_with("type ") {
                let policy = line
                    .split_once("policy ")
                    .map(|(_, rest)| rest.trim_end_matches(';'));
                out.policies.extend(policy.map(|policy| {
                    format!("{} {name} {policy}", out.tables.last().map_or("", |t| t))
                }));
            } else {
                out.rules.push(line.to_owned());
            }
        }
        if line.ends_with('{') {
            depth += 1;
        }
        // A rule with a set opens and closes on one line. A list of elements can close on its own
        // line.
        if line.starts_with('}') {
            depth = depth.saturating_sub(1);
            if depth < 2 {
                chain = None;
            }
        }
    }
    out
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let tool = target.subject.as_str();
    if property == "files" {
        let of = |path: &str| match tool {
            "nft" => path.ends_with("nftables.conf"),
            "iptables" => path.ends_with("rules.v4") || path.ends_with("/iptables"),
            _ => path.ends_with("rules.v6") || path.ends_with("/ip6tables"),
        };
        return walk::filter_paths(view, "firewall_files", |entry| {
            entry.has_content() && of(&entry.path)
        });
    }
    if view.identity().directory {
        return Observation::Skipped("no packet filter runs in a directory".to_owned());
    }
    let parse = if tool == "nft" {
        parse_nft
    } else {
        parse_iptables
    };
    view.parse_reading("firewall", tool, |text| Ok(parse(text)))
        .observe("is not installed", |found| {
            Observation::list(match property {
                "rules" => found.rules.clone(),
                "tables" => found.tables.clone(),
                _ => found.policies.clone(),
            })
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const NFT: &str = "table inet filter {\n\tset allowed {\n\t\ttype ipv4_addr\n\
        \t\telements = { 10.0.0.1,\n\t\t\t     10.0.0.2 }\n\t}\n\n\tchain input {\n\
        \t\ttype filter hook input priority filter; policy drop;\n\
        \t\tct state { established, related } accept\n\t\ttcp dport 22 accept\n\t}\n\n\
        \tchain own {\n\t\tcounter\n\t}\n}\ntable ip nat {\n}\n";
    const SAVE: &str = "# Generated\n*filter\n:INPUT DROP [0:0]\n:MINE - [0:0]\n\
        -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n";

    fn judge_check(yaml: &str, tool: &str, rc: i32, text: &str) -> String {
        lines(
            &format!("- {{firewall: {yaml}}}"),
            &[IDENTITY, ("firewall", tool, rc, "-", text)],
        )
        .join("")
    }

    #[test]
    fn rules_are_listed_as_the_tools_print_them() {
        let yaml = "nft, tables: {same_set: [inet filter, ip nat]}, policies: {same_set: [inet \
            filter input drop]}, rules: {same_set: [\"ct state { established, related } accept\", \
            tcp dport 22 accept, counter]}";
        assert_eq!(judge_check(yaml, "nft", 0, NFT), "passed  firewall:nft");
        let yaml = "iptables, tables: {same_set: [filter]}, policies: {same_set: [filter INPUT \
            DROP]}, rules: {same_set: [\"-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\"]}";
        assert_eq!(
            judge_check(yaml, "iptables", 0, SAVE),
            "passed  firewall:iptables"
        );
        assert!(
            judge_check(
                "nft, rules: {empty: true}",
                "nft",
                2,
                "Operation not permitted"
            )
            .starts_with("error")
        );
        assert!(
            judge_check("nft, rules: {empty: true}", "nft", 1, "").contains("is not installed")
        );
    }
}
