//! Owns the shape of `images/*.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawOwnWaiver, Text, TextMap};
use crate::catalog::syntax;
use crate::catalog::yaml::deserialize::Spanned;
use crate::checks::{WrittenCheck, WrittenOverride, WrittenUse};
use crate::model::Arch;
use crate::platform::Platform;

/// images/NAME.yaml: one image. Paths in it are relative to the repository's root, where `bakeline.yaml` lies.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A bakeline image", extend("oneOf" = [{"required": ["source"]}, {"required": ["parent"]}]))]
pub(crate) struct RawImage {
    /// Its name; the file's name without `.yaml` when absent, and never another.
    #[schemars(regex(pattern = syntax::NAME.pattern))]
    pub(crate) name: Option<Text>,
    /// One line for people, in ASCII: EC2 accepts nothing else as an AMI's description.
    #[schemars(length(max = 255), regex(pattern = syntax::ASCII.pattern))]
    pub(crate) description: Option<Text>,
    /// For a base image: how the vendor's AMI is found.
    pub(crate) source: Option<Spanned<RawSource>>,
    /// For a custom image: the image of this catalog that it is layered on.
    #[schemars(regex(pattern = syntax::NAME.pattern))]
    pub(crate) parent: Option<Text>,
    /// For a base image: its OS family; `debian` when absent.
    pub(crate) platform: Option<Spanned<Platform>>,
    /// For a base image: its architecture; `x86_64` when absent.
    pub(crate) arch: Option<Spanned<Arch>>,
    /// The highest environment it may reach; the parent's, or the top of the ladder, when absent.
    pub(crate) environment: Option<Text>,
    /// Packages to install, first of all.
    #[serde(default)]
    pub(crate) packages: Vec<Text>,
    /// Files to put into the image, after the packages.
    #[serde(default)]
    pub(crate) files: Vec<RawFile>,
    /// Ansible playbooks to play against the instance, after the files. `ansible-playbook` runs on the runner, so a
    /// playbook is code there and needs review.
    #[serde(default)]
    pub(crate) ansible: Vec<RawAnsible>,
    /// Puppet manifests to apply inside the instance, after the playbooks.
    #[serde(default)]
    pub(crate) puppet: Vec<RawPuppet>,
    /// Shell scripts to run as root, last of all: paths relative to the repository's root.
    #[serde(default)]
    #[schemars(inner(regex(pattern = syntax::PATH.pattern)))]
    pub(crate) scripts: Vec<Text>,
    /// Check profiles to pass: `NAME` means `profiles/NAME.yaml`, `{name: NAME, inputs: {…}}` gives its inputs values.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) profiles: Vec<WrittenUse>,
    /// Checks to pass, besides those of the profiles and of every ancestor.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read entry by entry, so that one wrong check does not hide the others"
    )]
    pub(crate) checks: Vec<WrittenCheck>,
    /// What is different about controls of its profiles and ancestors, by their ids: here and in the images built on it.
    #[serde(default, rename = "override")]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) overrides: BTreeMap<String, WrittenOverride>,
    /// Controls that are not judged here and in the images built on it, with the reason.
    #[serde(default)]
    #[expect(dead_code, reason = "read entry by entry")]
    pub(crate) disable: BTreeMap<String, String>,
    /// Failures that somebody answers for, until a day.
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    pub(crate) waivers: Vec<RawOwnWaiver>,
    /// Extra tags on the AMI.
    #[serde(default)]
    pub(crate) tags: TextMap,
    /// How old it may get before it is built again, such as `30d`; the catalog's `max_age` when absent.
    #[schemars(regex(pattern = syntax::DURATION.pattern))]
    pub(crate) max_age: Option<Text>,
    /// After how many builds on itself it starts from its origin again; the catalog's `rebase_after` when absent.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) rebase_after: Option<u32>,
    /// The root volume's size in GiB, where more than the parent's is wanted.
    #[schemars(range(min = 1, max = 16384))]
    pub(crate) disk_gib: Option<Spanned<u32>>,
}

/// How the vendor's AMI is found: by `owner` and `name`, or by `ssm`. The newest available one that matches is taken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Source", extend("oneOf" = [{"required": ["owner", "name"]}, {"required": ["ssm"]}]))]
pub(crate) struct RawSource {
    /// Who owns the AMI: an account id, `amazon`, `aws-marketplace`, `aws-backup-vault` or `self`.
    #[schemars(regex(pattern = syntax::IMAGE_OWNER.pattern))]
    pub(crate) owner: Option<Text>,
    /// The AMI's name with `*` and `?`, such as `debian-12-amd64-*`.
    #[schemars(regex(pattern = syntax::IMAGE_PATTERN.pattern))]
    pub(crate) name: Option<Text>,
    /// An SSM parameter that holds the AMI's id, such as `/aws/service/debian/release/12/latest/amd64`.
    #[schemars(regex(pattern = syntax::PARAMETER.pattern))]
    pub(crate) ssm: Option<Text>,
}

/// A file to put into the image.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File")]
pub(crate) struct RawFile {
    /// Its path, relative to the repository's root.
    #[schemars(required, regex(pattern = syntax::PATH.pattern))]
    pub(crate) source: Option<Text>,
    /// The absolute path in the image.
    #[schemars(required, regex(pattern = syntax::DESTINATION.pattern))]
    pub(crate) destination: Option<Text>,
    /// `user` or `user:group`; `root:root` when absent.
    #[schemars(regex(pattern = syntax::OWNER.pattern))]
    pub(crate) owner: Option<Text>,
    /// The octal mode, in quotes; `"0644"` when absent.
    #[schemars(regex(pattern = syntax::MODE.pattern))]
    pub(crate) mode: Option<Text>,
}

/// A playbook. Every file of its folder belongs to the recipe: roles, files, templates, `group_vars`, `ansible.cfg`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ansible")]
pub(crate) struct RawAnsible {
    /// Its path, such as `ansible/site.yaml`; its plays are for `hosts: all`. It needs a folder of its own.
    #[schemars(required, regex(pattern = syntax::PATH.pattern))]
    pub(crate) playbook: Option<Text>,
    /// Extra variables. Their values are text and data: Ansible does not take them for templates.
    #[serde(default)]
    pub(crate) vars: TextMap,
}

/// A manifest. Every file of its folder belongs to the recipe: modules, `hiera.yaml` and its data. Puppet is installed
/// for the build and removed again, unless the image has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Puppet")]
pub(crate) struct RawPuppet {
    /// Its path, such as `puppet/site.pp`. It needs a folder of its own.
    #[schemars(required, regex(pattern = syntax::PATH.pattern))]
    pub(crate) manifest: Option<Text>,
    /// The folder of modules; `modules` beside the manifest when absent, if there is one.
    #[schemars(regex(pattern = syntax::PATH.pattern))]
    pub(crate) modules: Option<Text>,
    /// Facts for the manifest, as in `$facts['name']`. Their values are text.
    #[serde(default)]
    pub(crate) facts: TextMap,
}
