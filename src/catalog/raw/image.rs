//! Defines the keys of `images/*.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::arch::RawArch;
use super::instance::RawImageBuilder;
use super::profile::RawOwnWaiver;
use super::script::RawScript;
use super::source::RawSource;
use super::text::{TagMap, Text, TextMap};
use super::volume::RawVolume;
use crate::catalog::syntax;
use crate::catalog::yaml::deserialize::Spanned;
use crate::checks::{WrittenCheck, WrittenOverride, WrittenUse};
use crate::platform::Platform;

/// images/NAME.yaml: one image. Paths are relative to the root of the repository, the directory of
/// `bakeline.yaml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A bakeline image", extend("oneOf" = [{"required": ["source"]}, {"required": ["parent"]}]))]
pub(crate) struct RawImage {
    /// Variables for this image and its children, used as `${NAME}`. They override variables of the
    /// parent and of `bakeline.yaml`. Values are text, numbers, booleans, lists or maps, and must
    /// not be secrets.
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    pub(crate) variables: BTreeMap<String, serde_json::Value>,
    /// Variables with lists of values: the file defines one image for each combination. `exclude`
    /// removes combinations, and `include` adds some.
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    pub(crate) matrix: BTreeMap<String, Vec<serde_json::Value>>,
    /// Name of the image. Must be the name of the file without `.yaml`, which is the default. With a
    /// matrix the name is required, and must differ for each combination.
    #[schemars(regex(pattern = syntax::NAME.pattern))]
    pub(crate) name: Option<Text>,
    /// Description of the AMI: one line of ASCII, because EC2 accepts no other characters.
    #[schemars(length(max = 255), regex(pattern = syntax::ASCII.pattern))]
    pub(crate) description: Option<Text>,
    /// Vendor AMI of a base image.
    pub(crate) source: Option<Spanned<RawSource>>,
    /// Parent of a custom image: another image of this catalog.
    #[schemars(regex(pattern = syntax::NAME.pattern))]
    pub(crate) parent: Option<Text>,
    /// OS family of a base image. Default: `debian`.
    pub(crate) platform: Option<Spanned<Platform>>,
    /// Architecture of a base image, or a list: the file then defines one image per architecture
    /// under one name, and so do the files of its children. In a custom image it selects
    /// architectures of the parent. Default: `x86_64`, or the architectures of the parent.
    pub(crate) arch: Option<Spanned<RawArch>>,
    /// Highest environment of the image. Default: that of the parent, or the last environment.
    pub(crate) environment: Option<Text>,
    /// Packages to install, before all other provisioners.
    #[serde(default)]
    pub(crate) packages: Vec<Text>,
    /// Files to copy into the image, after the packages.
    #[serde(default)]
    pub(crate) files: Vec<RawFile>,
    /// Ansible playbooks to run against the instance, after the files. `ansible-playbook` runs on
    /// the runner, so review playbooks as code that runs there.
    #[serde(default)]
    pub(crate) ansible: Vec<RawAnsible>,
    /// Puppet manifests to apply on the instance, after the playbooks.
    #[serde(default)]
    pub(crate) puppet: Vec<RawPuppet>,
    /// Scripts to run, after all other provisioners: a path for a script of root, or `{path: …}`
    /// with options. Paths are relative to the root of the repository.
    #[serde(default)]
    pub(crate) scripts: Vec<Spanned<RawScript>>,
    /// Check profiles of the image. `NAME` refers to `profiles/NAME.yaml`. `{name: NAME, inputs:
    /// {…}}` also sets inputs.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) profiles: Vec<WrittenUse>,
    /// Checks of the image, in addition to those of its profiles and ancestors.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read entry by entry, so that one wrong check does not hide the others"
    )]
    pub(crate) checks: Vec<WrittenCheck>,
    /// Overrides of controls of profiles and ancestors by ID, for this image and its descendants.
    #[serde(default, rename = "override")]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) overrides: BTreeMap<String, WrittenOverride>,
    /// Disabled controls with the reason, for this image and its descendants.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) disable: BTreeMap<String, String>,
    /// Waivers: accepted failures with an owner and an expiry date.
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    pub(crate) waivers: Vec<RawOwnWaiver>,
    /// Extra tags of the AMI.
    #[serde(default)]
    pub(crate) tags: TagMap,
    /// Maximum age before the image is built again, such as `30d`. Default: `max_age` of the
    /// catalog.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) max_age: Option<Text>,
    /// Number of builds on top of the previous version before a build starts from the origin again.
    /// Default: `rebase_after` of the catalog.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) rebase_after: Option<u32>,
    /// Size of the root volume in GiB, as `size` of `volumes`. Must not be smaller than that of the
    /// parent.
    #[schemars(range(min = 1, max = 16384))]
    pub(crate) disk_gib: Option<Spanned<u32>>,
    /// EBS volumes: type, size and performance of the root volume, and additional volumes. Children
    /// have the volumes of their parent.
    #[serde(default)]
    pub(crate) volumes: Vec<RawVolume>,
    /// Settings of the build and test instances, instead of those of `bakeline.yaml`.
    pub(crate) builder: Option<RawImageBuilder>,
    /// Packer template of this image, such as `templates/packer/custom.pkr.json`, without its
    /// children. `@{ variables.NAME }@` is a variable of the image. Default:
    /// `templates/packer/amazon-ebs.pkr.json`.
    #[schemars(regex(pattern = syntax::PATH.pattern))]
    pub(crate) template: Option<Text>,
    /// User for logins by SSH, such as `rocky`, in the image and its children. Default: the user of
    /// the vendor AMIs of the platform.
    #[schemars(regex(pattern = syntax::LOGIN_USER.pattern))]
    pub(crate) login_user: Option<Text>,
    /// True if Packer requests a terminal for its commands, in the image and its children. Default:
    /// `false`.
    pub(crate) ssh_pty: Option<bool>,
    /// Waiting time between the start of an instance and the first login, such as `90s`, at most
    /// `1h`. Applies to the builds and boot checks of the image and its children. Default: no wait.
    #[schemars(regex(pattern = syntax::BOOT_WAIT.pattern))]
    pub(crate) boot_wait: Option<Text>,
}

/// A file or folder to copy into the image.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File")]
pub(crate) struct RawFile {
    /// Path relative to the root of the repository. All files and links below a folder are copied,
    /// at most 64 MiB and 5000 files.
    #[schemars(required, regex(pattern = syntax::ANY_PATH.pattern))]
    pub(crate) source: Option<Text>,
    /// Absolute path in the image. The contents of a folder are copied into this directory, which
    /// can be `/`.
    #[schemars(required, regex(pattern = syntax::DESTINATION.pattern))]
    pub(crate) destination: Option<Text>,
    /// True if the file, or each file of the folder, is a Tera template with `{{ name }}` and
    /// `{% if … %}`. Undefined variables are errors. Default: `false`.
    pub(crate) template: Option<bool>,
    /// Owner: `user` or `user:group`. Default: `root:root`.
    #[schemars(regex(pattern = syntax::OWNER.pattern))]
    pub(crate) owner: Option<Text>,
    /// Group. Default: that of `owner`, or `root`.
    #[schemars(regex(pattern = syntax::ACCOUNT_NAME.pattern))]
    pub(crate) group: Option<Text>,
    /// Octal mode in quotes. Default: `"0644"`; in a folder, `"0755"` for executable files. New
    /// directories can be searched by all who can read.
    #[schemars(regex(pattern = syntax::MODE.pattern))]
    pub(crate) mode: Option<Text>,
}

/// An Ansible playbook. All files of its directory are part of the recipe: roles, files, templates,
/// `group_vars`, `ansible.cfg`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ansible")]
pub(crate) struct RawAnsible {
    /// Path, such as `ansible/site.yaml`. The playbook needs a directory of its own, and its plays
    /// need `hosts: all`.
    #[schemars(required, regex(pattern = syntax::PATH.pattern))]
    pub(crate) playbook: Option<Text>,
    /// Extra variables of any type. Texts are data: Ansible does not expand templates in them.
    #[serde(default)]
    pub(crate) vars: BTreeMap<Text, Spanned<serde_json::Value>>,
}

/// A Puppet manifest. All files of its directory are part of the recipe: modules, `hiera.yaml` and
/// its data. Puppet is installed for the build and removed afterwards, unless the image contains
/// it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Puppet")]
pub(crate) struct RawPuppet {
    /// Path, such as `puppet/site.pp`. The manifest needs a directory of its own.
    #[schemars(required, regex(pattern = syntax::PATH.pattern))]
    pub(crate) manifest: Option<Text>,
    /// Directory of modules. Default: `modules` next to the manifest, if it exists.
    #[schemars(regex(pattern = syntax::PATH.pattern))]
    pub(crate) modules: Option<Text>,
    /// Facts for the manifest, as in `$facts['name']`. Values are text.
    #[serde(default)]
    pub(crate) facts: TextMap,
}
