//! The `credentials` resource: files that contain a private key or another credential.

use std::collections::BTreeSet;

use crate::exclusion::Exclusion;
use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::resource::filesystem::exclude::{
    EXCLUDE, escape_controls, exclusion_remark, exclusions, is_covered,
};
use crate::resource::filesystem::walk::{WalkError, is_missing_file};
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::{sh_quote, truncate_for_display};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "credentials",
    "Credentials and private keys in all files that no package owns, in configuration files, \
     and in files of packages that changed after their installation. Only path, line number \
     and kind leave the target. By default, `found` must be empty. Each item has the form \
     `PATH:LINE: KIND`. The search covers the file system of /, without /proc, /sys, /dev and \
     /run. Skipped: files over 1 MiB, binary files, compressed files, host keys of sshd, test \
     data of libraries such as `site-packages/*/tests`, and on a running system the instance \
     data of cloud-init. Text in a file that is unchanged since its package installed it does \
     not count. Examples such as AKIAIOSFODNN7EXAMPLE, placeholders such as `${TOKEN}` and \
     password hashes do not count. A search that does not end within 120 seconds is an error.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_parameters(&[EXCLUDE])
.with_properties(&[
    Property::new(
        "found",
        ValueType::List,
        "All items of the other properties.",
    ),
    Property::new(
        "private_keys",
        ValueType::List,
        "Kinds: private-key (PEM and OpenSSH), pgp-private-key, putty-private-key, \
         age-secret-key, and key-store (`*.p12`, `*.pfx`, `*.jks`, keys of gpg-agent).",
    ),
    Property::new(
        "secrets",
        ValueType::List,
        "Kinds in any file: aws-secret-key, github-token, gitlab-token, slack-token, \
         google-service-account, azure-connection-string. Kinds in configuration files of tools: \
         url-password (apt, pip, npm, git and others), netrc-password, npm-token, docker-auth, \
         ansible-vault-password, password (`.pypirc`, `.pgpass`, `.my.cnf`, yum and dnf).",
    ),
])
.with_defaults(&["!found"])
.with_remark(remark)
.with_collection(
    concat!(
        include_str!("../packaging/owners.sh"),
        include_str!("credentials.sh")
    ),
    requests,
);

/// Maximum number of items; more are an error.
const MAX_ITEMS: usize = 5000;

/// Returns one call. The search skips plain paths that all checks exclude, which saves time.
fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let is_plain = |e: &Exclusion| !e.path.contains(['*', '?', '[', '\\']);
    let paths = |one: &RequestedResource<'_>| -> BTreeSet<String> {
        let all = exclusions(one.target).into_iter().filter(is_plain);
        all.map(|e| e.path).collect()
    };
    let common = asked
        .iter()
        .map(paths)
        .reduce(|a, b| a.intersection(&b).cloned().collect());
    let words = common.unwrap_or_default();
    let words = words.iter().map(|path| format!(" {}", sh_quote(path)));
    vec![format!("credentials{}", words.collect::<String>())]
}

/// Item of the search.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Credential {
    path: String,
    line: u32,
    kind: String,
}

impl Credential {
    fn is_private_key(&self) -> bool {
        self.kind.ends_with("-key") && self.kind != "aws-secret-key" || self.kind == "key-store"
    }
}

/// Parses lines of kind, line number and path. The markers at the end prove that the search is
/// complete.
fn parse_credentials(text: &str) -> Result<BTreeSet<Credential>, ReadError> {
    let mut all = BTreeSet::new();
    let mut ends = BTreeSet::new();
    for line in text.lines() {
        if let Some(credential) = parse_line(line) {
            all.insert(credential);
            continue;
        }
        match line {
            "!find 124" | "!find 137" | "!find 143" | "!scan 124" | "!scan 137" | "!scan 143" => {
                return Err(WalkError::TimedOut.into());
            }
            "!name" => {
                let why = "a file name contains the control character 0x01";
                return Err(WalkError::Message(why.to_owned()).into());
            }
            "!find 0" | "!find 1" | "!scan 0" => {
                ends.insert(&line[..5]);
            }
            "" | "Terminated" => {}
            _ if is_missing_file(line) => {}
            _ => return Err(WalkError::Message(truncate_for_display(line.as_bytes())).into()),
        }
    }
    if ends.len() < 2 {
        let why = "the search ended before it was complete";
        return Err(WalkError::Message(why.to_owned()).into());
    }
    if all.len() > MAX_ITEMS {
        let why = format!("more than {MAX_ITEMS} credentials were found, which is too many");
        return Err(WalkError::Message(why).into());
    }
    Ok(all)
}

fn parse_line(line: &str) -> Option<Credential> {
    let mut words = line.splitn(3, ' ');
    let (kind, number, path) = (words.next()?, words.next()?, words.next()?);
    let is_kind = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let path = path
        .strip_prefix('.')
        .filter(|path| path.starts_with('/'))?;
    is_kind.then_some(Credential {
        path: escape_controls(path),
        line: number.parse().ok()?,
        kind: kind.to_owned(),
    })
}

fn load(view: &View<'_>) -> Parsed<BTreeSet<Credential>> {
    view.parse_reading("credentials", "", parse_credentials)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let exclusions = exclusions(target);
    load(view).observe("was not collected", |all| {
        let is_asked = |found: &&Credential| match property {
            "private_keys" => found.is_private_key(),
            "secrets" => !found.is_private_key(),
            _ => true,
        };
        let is_kept = |found: &&Credential| !exclusions.iter().any(|e| is_covered(e, &found.path));
        let shown = |found: &Credential| format!("{}:{}: {}", found.path, found.line, found.kind);
        Observation::list(all.iter().filter(is_asked).filter(is_kept).map(shown))
    })
}

fn remark(target: &ResourceRef, view: &View<'_>) -> Option<String> {
    let Read::Present(all) = load(view) else {
        return None;
    };
    let paths: Vec<&str> = all.iter().map(|found| found.path.as_str()).collect();
    exclusion_remark(target, &paths)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const FOUND: &str = "private-key 1 ./opt/app/a b.pem\naws-secret-key 7 ./root/.aws/credentials\n\
        key-store 0 ./srv/x.p12\n!find 0\n!scan 0\n";

    fn judge_check(yaml: &str, text: &str) -> String {
        let frames = [IDENTITY, ("credentials", "", 0, "-", text)];
        lines(&format!("- {{credentials: all{yaml}}}"), &frames).join("")
    }

    #[test]
    fn credentials_are_listed_by_kind() {
        for yaml in [
            ", private_keys: {same_set: [\"/opt/app/a b.pem:1: private-key\", \"/srv/x.p12:0: key-store\"]}",
            ", secrets: {same_set: [\"/root/.aws/credentials:7: aws-secret-key\"]}",
            ", found: {count: 3}",
        ] {
            assert_eq!(
                judge_check(yaml, FOUND),
                "passed  credentials:all",
                "{yaml}"
            );
        }
        assert!(judge_check("", FOUND).starts_with("failed"));
        assert_eq!(
            judge_check("", "!find 0\n!scan 0\n"),
            "passed  credentials:all"
        );
    }

    #[test]
    fn incomplete_search_is_an_error() {
        for text in [
            "",
            "!find 0\n",
            "!find 124\n!scan 0\n",
            "!find 0\n!scan 124\n",
            "!find 0\n!scan 125\n",
            "grep: ./etc/x: Permission denied\n!find 0\n!scan 0\n",
            "!name\n!find 0\n!scan 0\n",
        ] {
            assert!(judge_check("", text).starts_with("error"), "{text}");
        }
        let vanished = "grep: ./tmp/x: No such file or directory\n!find 1\n!scan 0\n";
        assert!(judge_check("", vanished).starts_with("passed"));
    }

    #[test]
    fn exclusions_hide_items_and_show_reasons() {
        let exclude = |path: &str| {
            format!(
                ", exclude: [{{path: \"{path}\", reason: public test keys}}], found: {{count: 2}}"
            )
        };
        for path in ["/opt/app", "/opt/*", "/opt/app/*.pem", "/srv/x.p12", "/opt"] {
            assert!(
                judge_check(&exclude(path), FOUND).starts_with("passed"),
                "{path}"
            );
        }
        let line = judge_check(&exclude("/opt/*.pem"), FOUND);
        assert!(
            line.starts_with("failed") && line.contains("/opt/*.pem (public test keys)"),
            "{line}"
        );
    }

    #[test]
    fn exclusion_without_reason_is_invalid() {
        for yaml in ["[{path: /opt}]", "[/opt]", "/opt"] {
            let refusal = crate::tests::refusal(&format!("{{credentials: all, exclude: {yaml}}}"));
            assert!(refusal.contains("reason"), "{yaml}: {refusal}");
        }
    }
}
