//! Defines the parts of a build.

use std::collections::BTreeMap;

/// Part of a build, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Runs a script as root with `/bin/sh`. `name` is its file in the build directory.
    Script {
        name: String,
        text: Vec<u8>,
        /// Script of the catalog that it runs or waits for, for messages.
        source: Option<String>,
        connection: Connection,
    },
    /// Uploads content to a path in the image. `name` is its file in the build directory.
    Upload {
        name: String,
        content: Vec<u8>,
        to: String,
    },
    /// Uploads files with their directories. `name` is their directory in the build directory.
    Folder {
        name: String,
        files: BTreeMap<String, Vec<u8>>,
        to: String,
    },
    /// Runs a playbook from the runner. `name` is the directory of the job in the build directory.
    Playbook {
        name: String,
        files: BTreeMap<String, Vec<u8>>,
    },
    /// Collects facts and runs the build-phase checks.
    Check,
}

/// Connection to the instance while a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The connection exists until the end of the script.
    Stable,
    /// The script may reboot the instance.
    MayReboot,
    /// The script before waited for the end of the connection if it rebooted the instance.
    AfterUpdate,
    /// The instance may be rebooting when the script is started.
    AfterReboot,
}
