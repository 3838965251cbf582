//! Owns the check as it is written in YAML; `draft` makes a control of it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Phase;
use super::draft::Common;
use super::raw_expect::{ExpectMode, ExpectNumber, ExpectOwner, ExpectText, ExpectType, ExpectVersion};

/// What is wrong with a check, and what to do about it. Where it is about one key, the message starts with `KEY: `.
pub type Problem = (String, Option<String>);

/// One check: the resource it looks at, with what is expected of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Check")]
pub enum RawCheck {
    /// Anything at a path; with nothing else: it must exist.
    File(RawFile),
    /// A package; with nothing else: it must be installed.
    Package(RawPackage),
    /// A systemd unit; with nothing else: it must be enabled and running. Judged in phase boot unless `phase` says more.
    Service(RawService),
    /// A shell command, run in the image; it must end with status 0 unless `exit_status` says otherwise.
    Command(RawCommand),
}

impl RawCheck {
    /// The id that the user chose, if any.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::File(raw) => raw.id.as_deref(),
            Self::Package(raw) => raw.id.as_deref(),
            Self::Service(raw) => raw.id.as_deref(),
            Self::Command(raw) => raw.id.as_deref(),
        }
    }
}

macro_rules! raw_check {
    ($(#[$doc:meta])* $name:ident as $schema:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = $schema)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// A name of its own, unique in the image; by default made of the resource.
            #[serde(default)]
            pub id: Option<String>,
            /// One line for people.
            #[serde(default)]
            pub title: Option<String>,
            /// How bad it is when it fails, 0.0 to 1.0; 0.5 by default.
            #[serde(default)]
            #[schemars(range(min = 0.0, max = 1.0))]
            pub impact: Option<f64>,
            /// When it is judged: build (inside the Packer build), boot (on an instance of the finished image).
            #[serde(default)]
            pub phase: Option<Vec<Phase>>,
        }

        impl $name {
            pub(super) fn common(&self) -> Common {
                let (id, title, phase) = (self.id.clone(), self.title.clone(), self.phase.clone());
                Common { id, title, impact: self.impact, phase }
            }
        }
    };
}

raw_check! {
    /// A file, directory or link.
    RawFile as "FileCheck" {
        /// The absolute path in the image.
        path: String,
        /// Whether there is anything.
        #[serde(default)]
        exists: Option<bool>,
        /// What it is: file, directory, link, socket, pipe, char or block. A link is not followed.
        #[serde(default)]
        r#type: Option<ExpectType>,
        /// The owner's name or number, links followed.
        #[serde(default)]
        owner: Option<ExpectOwner>,
        /// The group's name or number, links followed.
        #[serde(default)]
        group: Option<ExpectOwner>,
        /// The octal permission bits in quotes, such as "0644"; at_most: none but these bits.
        #[serde(default)]
        mode: Option<ExpectMode>,
        /// The size in bytes, links followed.
        #[serde(default)]
        size: Option<ExpectNumber>,
        /// What a link says.
        #[serde(default)]
        link_target: Option<ExpectText>,
        /// The content of a regular file, links followed. Password hashes in shadow files are seen as their kind only.
        #[serde(default)]
        content: Option<ExpectText>,
    }
}

raw_check! {
    /// A package.
    RawPackage as "PackageCheck" {
        /// Its name, optionally with an architecture: libc6:amd64.
        name: String,
        /// Whether it is installed.
        #[serde(default)]
        installed: Option<bool>,
        /// Its version in quotes, in Debian's order.
        #[serde(default)]
        version: Option<ExpectVersion>,
    }
}

raw_check! {
    /// A systemd unit.
    RawService as "ServiceCheck" {
        /// Its name; `.service` is added where there is no suffix.
        name: String,
        /// Whether it starts by itself.
        #[serde(default)]
        enabled: Option<bool>,
        /// Whether it runs now.
        #[serde(default)]
        running: Option<bool>,
    }
}

raw_check! {
    /// A shell command.
    RawCommand as "CommandCheck" {
        /// The command line for sh.
        run: String,
        /// Seconds after which it is ended, 1 to 600; 10 by default.
        #[serde(default)]
        #[schemars(range(min = 1, max = 600))]
        timeout: Option<u32>,
        /// How it ends; 0 by default.
        #[serde(default)]
        exit_status: Option<ExpectNumber>,
        /// What it writes.
        #[serde(default)]
        stdout: Option<ExpectText>,
        /// What it writes to standard error.
        #[serde(default)]
        stderr: Option<ExpectText>,
    }
}
