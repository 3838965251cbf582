//! Parses the target of `bakeline check`.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{AmiId, InstanceId};

/// Target of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Machine that bakeline runs on.
    Local,
    /// Machine that OpenSSH connects to.
    Ssh {
        user: Option<String>,
        host: String,
        port: Option<u16>,
    },
    /// Unpacked root file system.
    Directory(String),
    /// Running instance.
    Instance(InstanceId),
    /// AMI; the check boots an instance of it.
    Ami(AmiId),
}

impl Target {
    /// Parses a target.
    ///
    /// # Errors
    /// The text is not a target, for example because `ssh` could treat it as an option.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Some(rest) = text.strip_prefix("ssh://") {
            return parse_ssh(rest).map_err(|why| {
                Error::new(
                    ErrorKind::Usage,
                    format!("`{}` is not a target: {why}", text.escape_debug()),
                )
                .hint("use ssh://[USER@]HOST[:PORT]")
            });
        }
        let id = |prefix: &str| {
            let digits = text.strip_prefix(prefix).unwrap_or_default();
            [8, 17].contains(&digits.len())
                && digits
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        Ok(match text {
            "local" => Self::Local,
            _ if id("i-") => Self::Instance(InstanceId::from(text)),
            _ if id("ami-") => Self::Ami(AmiId::from(text)),
            _ if text.contains("://") => {
                let message = format!(
                    "`{}` is not a target: the only supported URL scheme is ssh",
                    text.escape_debug()
                );
                return Err(Error::new(ErrorKind::Usage, message));
            }
            _ => Self::Directory(text.to_owned()),
        })
    }
}

/// Problem in an `ssh://` address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum AddressError {
    /// Text between a bracketed address and the port.
    #[error("a colon is required before the port")]
    MissingColon,
    /// IPv6 address without brackets.
    #[error("an IPv6 address must be in brackets")]
    MissingBrackets,
    /// Text that is not a port number.
    #[error("`{}` is not a port", .0.escape_debug())]
    InvalidPort(String),
    /// Empty user or host.
    #[error("the {0} is missing")]
    MissingPart(&'static str),
    /// User or host that `ssh` could treat as an option.
    #[error("a {0} cannot start with `-`")]
    LeadingDash(&'static str),
    /// Character in a user or host that `ssh` or a shell could interpret.
    #[error("a {part} cannot contain `{}`", .character.escape_debug())]
    InvalidCharacter {
        /// `user` or `host`.
        part: &'static str,
        /// First such character.
        character: char,
    },
}

fn parse_ssh(rest: &str) -> std::result::Result<Target, AddressError> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, location) = match rest.rsplit_once('@') {
        Some((user, location)) => (Some(check_name("user", user)?), location),
        None => (None, rest),
    };
    let (host, port) = match location
        .strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
    {
        Some((address, "")) => (address, None),
        Some((address, after)) => match after.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None => return Err(AddressError::MissingColon),
        },
        None => match location.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            Some(_) => return Err(AddressError::MissingBrackets),
            None => (location, None),
        },
    };
    let port = match port {
        Some(text) => {
            let read = text.parse::<u16>().ok().filter(|port| *port > 0);
            Some(read.ok_or_else(|| AddressError::InvalidPort(text.to_owned()))?)
        }
        None => None,
    };
    Ok(Target::Ssh {
        user,
        host: check_name("host", host)?,
        port,
    })
}

/// Checks a user or host name for characters that `ssh` or a shell could interpret. OpenSSH 9.6 and
/// later also refuse most of these.
fn check_name(part: &'static str, text: &str) -> std::result::Result<String, AddressError> {
    let plain = |c: char| c.is_alphanumeric() || "-._:%+".contains(c);
    if text.is_empty() {
        return Err(AddressError::MissingPart(part));
    }
    if text.starts_with('-') {
        return Err(AddressError::LeadingDash(part));
    }
    match text.chars().find(|c| !plain(*c)) {
        Some(character) => Err(AddressError::InvalidCharacter { part, character }),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_kind_follows_from_its_form() {
        let ssh = |user: Option<&str>, host: &str, port| Target::Ssh {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        };
        for (text, target) in [
            ("local", Target::Local),
            ("./local", Target::Directory("./local".to_owned())),
            (
                "i-0123456789abcdef0",
                Target::Instance(InstanceId::from("i-0123456789abcdef0")),
            ),
            ("ami-01234567", Target::Ami(AmiId::from("ami-01234567"))),
            ("ami-else", Target::Directory("ami-else".to_owned())),
            ("ssh://web1", ssh(None, "web1", None)),
            (
                "ssh://admin@10.0.0.7:2222",
                ssh(Some("admin"), "10.0.0.7", Some(2222)),
            ),
            (
                "ssh://admin@[fe80::1%eth0]:22/",
                ssh(Some("admin"), "fe80::1%eth0", Some(22)),
            ),
            ("ssh://a@[::1]", ssh(Some("a"), "::1", None)),
        ] {
            assert_eq!(Target::parse(text).expect(text), target);
        }
    }

    #[test]
    fn options_and_commands_are_refused_as_targets() {
        for text in [
            "ssh://-oProxyCommand=id",
            "ssh://-l@host",
            "ssh://user@-host",
            "ssh://host;id",
            "ssh://$(id)@host",
            "ssh://a b",
            "ssh://",
            "ssh://user@",
            "ssh://host:0",
            "ssh://host:ssh",
            "ssh://host:99999",
            "ssh://[::1]22",
            "ssh://::1",
            "ssh://h\nx",
            "http://host",
        ] {
            let error = Target::parse(text).expect_err(text);
            assert_eq!(error.kind, ErrorKind::Usage, "{text}");
        }
    }
}
