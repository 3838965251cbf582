//! Defines the variables of the templates of scripts.

use serde::Serialize;

/// Variables of the scripts.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ScriptValues<'v> {
    /// Name of the image.
    pub(super) image: &'v str,
    /// Name of the platform, for scripts that several platforms share.
    pub(super) platform: &'v str,
    /// Rendered `apt.sh` or `dnf.sh` with `functions.sh`: the same functions for all platforms.
    pub(super) package_manager: &'v str,
    /// Options of `update_packages`, for `prepare.sh`.
    pub(super) release_options: &'v str,
    /// Rendered `sudo.sh`, which allows sudo without a terminal, for `prepare.sh`.
    pub(super) sudo: &'v str,
    /// Rendered `boot.sh`, which waits for the jobs of the boot, for `prepare.sh` and `reboot.sh`.
    pub(super) boot: &'v str,
    /// Script of the user data of a build, which stops the instance after its longest time.
    pub(super) deadline: &'v str,
    /// True for a base image.
    pub(super) is_base: bool,
    /// Packages to install; used by `packages.sh`.
    pub(super) packages: &'v [String],
    /// Path of the uploaded file or directory, for `file.sh`, `tree.sh` and `script.sh`.
    pub(super) uploaded: &'v str,
    /// Destination of the file or folder, for `file.sh` and `tree.sh`.
    pub(super) destination: &'v str,
    /// Owner for `install -o`, for `file.sh` and `tree.sh`.
    pub(super) owner: &'v str,
    /// Group of the file, for `file.sh` and `tree.sh`.
    pub(super) group: &'v str,
    /// Mode of the file, for `file.sh`.
    pub(super) mode: &'v str,
    /// Login user.
    pub(super) login_user: &'v str,
    /// TemporaryResource directory of Ansible on the instance, for `ansible-prepare.sh` and `ansible.sh`.
    pub(super) remote_temp: &'v str,
    /// Puppet manifest below `uploaded`. For `puppet.sh`, as the following variables.
    pub(super) manifest: &'v str,
    /// Directory of the modules, or empty.
    pub(super) modules: &'v str,
    /// Hiera configuration, or empty.
    pub(super) hiera: &'v str,
    /// Facts of the user.
    pub(super) facts: Vec<Fact<'v>>,
    /// Script of the catalog, for `script.sh`.
    pub(super) script: Option<ScriptWords<'v>>,
    /// Directories, parents first, for `tree.sh`.
    pub(super) folders: Vec<TreePath>,
    /// Files, for `tree.sh`.
    pub(super) files: Vec<TreePath>,
    /// Links, for `tree.sh`. `name` is the target.
    pub(super) links: Vec<TreePath>,
}

/// Words of the command that runs a script of the catalog.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ScriptWords<'v> {
    pub(super) path: &'v str,
    pub(super) interpreter: String,
    /// Environment as `NAME=value`.
    pub(super) env: Vec<String>,
    pub(super) args: &'v [String],
    /// Time limit in seconds, or 0.
    pub(super) timeout: u64,
    /// User, or empty for root.
    pub(super) user: &'v str,
    /// `yes` or empty.
    pub(super) may_reboot: &'v str,
}

/// Path of a tree in the image.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TreePath {
    /// Name in the uploaded directory.
    pub(super) name: String,
    pub(super) path: String,
    pub(super) mode: String,
}

/// A fact for Puppet.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Fact<'v> {
    pub(super) name: &'v str,
    pub(super) value: &'v str,
}
