//! Owns the names of what can be expected of a resource, and what kind of value each has.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One property of a resource, as it is written in YAML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// file: whether there is anything at the path.
    Exists,
    /// file: what it is; a link is a link.
    Type,
    /// file: the owning user's name or number, through links.
    Owner,
    /// file: the owning group's name or number, through links.
    Group,
    /// file: the permission bits, through links.
    Mode,
    /// file: bytes, through links.
    Size,
    /// file: what a link says.
    LinkTarget,
    /// file: the bytes, through links.
    Content,
    /// package: whether it is unpacked and configured.
    Installed,
    /// package: its version.
    Version,
    /// service: whether it starts by itself.
    Enabled,
    /// service: whether it runs now.
    Running,
    /// command: how it ended.
    ExitStatus,
    /// command: what it wrote.
    Stdout,
    /// command: what it wrote to standard error.
    Stderr,
}

/// What a property's value is, and so what may be expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number,
    /// Octal permission bits.
    Mode,
    /// A Debian version.
    Version,
    /// A user or group: a name, or a number.
    Owner,
    /// One of [`super::file::TYPES`].
    Type,
    /// Bytes.
    Text,
}

impl Property {
    /// The word in YAML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Type => "type",
            Self::Owner => "owner",
            Self::Group => "group",
            Self::Mode => "mode",
            Self::Size => "size",
            Self::LinkTarget => "link_target",
            Self::Content => "content",
            Self::Installed => "installed",
            Self::Version => "version",
            Self::Enabled => "enabled",
            Self::Running => "running",
            Self::ExitStatus => "exit_status",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Exists | Self::Installed | Self::Enabled | Self::Running => Kind::Bool,
            Self::Size | Self::ExitStatus => Kind::Number,
            Self::Mode => Kind::Mode,
            Self::Version => Kind::Version,
            Self::Owner | Self::Group => Kind::Owner,
            Self::Type => Kind::Type,
            Self::LinkTarget | Self::Content | Self::Stdout | Self::Stderr => Kind::Text,
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
