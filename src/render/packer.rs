//! Owns the Packer build of one image: run values and blocks in, the files Packer needs out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::provision::{Block, blocks};
use super::{Language, RenderError, render};
use crate::catalog::{Access, Catalog, Image};
use crate::model::{AMAZON_PLUGIN_VERSIONS, Tags};

/// The template.
pub const TEMPLATE: &str = "templates/packer/amazon-ebs.pkr.json";
/// The rendered template's name in the build folder.
pub const RENDERED: &str = "image.pkr.json";
/// The manifest's name in the build folder: the earliest durable record of what Packer made.
pub const MANIFEST: &str = "manifest.json";

/// What is only known when the build runs.
#[derive(Debug, Clone)]
pub struct RunValues {
    /// The Region.
    pub region: String,
    /// The AMI to start from.
    pub base_ami: String,
    /// The new AMI's name.
    pub ami_name: String,
    /// Tags of the AMI and its snapshots.
    pub tags: Tags,
    /// Tags of the build instance and its volume.
    pub run_tags: Tags,
    /// The key pair's name.
    pub key_name: String,
    /// The private key's file.
    pub key_file: String,
    /// The security group's id.
    pub group: String,
    /// The root device's name of the base AMI.
    pub root_device: String,
    /// The EC2 endpoint, when it is not Amazon's.
    pub endpoint: Option<String>,
    /// Seconds between Packer's looks at the cloud.
    pub poll_seconds: u32,
    /// What the build instance runs at its first boot.
    pub user_data: String,
    /// The run's environment for scripts.
    pub environment: BTreeMap<String, String>,
    /// bakeline's own program, which judges the build-phase controls.
    pub program: String,
    /// The request file for it.
    pub check_request: String,
    /// Packer's version: newer options are rendered only where it knows them.
    pub packer: semver::Version,
}

/// What the template gets; maps are lists of pairs so that order and quoting are the template's.
#[derive(Serialize)]
struct Values<'v> {
    image: &'v str,
    description: String,
    region: &'v str,
    base_ami: &'v str,
    ami_name: &'v str,
    instance_type: &'v str,
    subnet: &'v str,
    instance_profile: &'v str,
    public_address: bool,
    ssm: bool,
    login_user: &'v str,
    key_name: &'v str,
    key_file: &'v str,
    group: &'v str,
    root_device: &'v str,
    disk_gib: u32,
    endpoint: &'v str,
    poll_seconds: u32,
    poll_attempts: u32,
    tags: Vec<Pair<'v>>,
    run_tags: Vec<Pair<'v>>,
    user_data: &'v str,
    environment: Vec<String>,
    blocks: Vec<BlockValues>,
    program: String,
    check_request: String,
    key_word: String,
    manifest: &'v str,
    plugin_versions: &'v str,
    imds_v2: bool,
}

#[derive(Serialize)]
struct Pair<'v> {
    key: &'v str,
    value: &'v str,
}

#[derive(Serialize)]
struct BlockValues {
    kind: &'static str,
    name: String,
    to: String,
    command: String,
}

/// How long Packer waits for one state of the cloud, in seconds.
const PATIENCE: u32 = 3600;

/// Everything Packer needs: file names in the build folder with their content.
///
/// # Errors
/// A template or file is missing or wrong, a value can't travel, or Packer is too old for what the catalog asks.
pub fn files(
    catalog: &Catalog,
    image: &Image,
    run: &RunValues,
) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let blocks = blocks(catalog, image)?;
    let builder = &catalog.settings.builder;
    let newer = run.packer >= semver::Version::new(1, 7, 0);
    if builder.access == Access::Ssm && !newer {
        let message = format!(
            "`access: ssm` needs Packer 1.7 or newer, this is {}",
            run.packer
        );
        return Err(RenderError {
            at: None,
            template: TEMPLATE.to_owned(),
            message,
        });
    }
    let values = Values {
        image: image.name.as_str(),
        description: description(image),
        region: &run.region,
        base_ami: &run.base_ami,
        ami_name: &run.ami_name,
        instance_type: &builder.instance_type,
        subnet: builder.subnet.as_deref().unwrap_or(""),
        instance_profile: builder.instance_profile.as_deref().unwrap_or(""),
        public_address: builder.public_address,
        ssm: builder.access == Access::Ssm,
        login_user: image.platform.login_user(),
        key_name: &run.key_name,
        key_file: &run.key_file,
        group: &run.group,
        root_device: &run.root_device,
        disk_gib: image.disk_gib.unwrap_or(0),
        endpoint: run.endpoint.as_deref().unwrap_or(""),
        poll_seconds: run.poll_seconds,
        poll_attempts: PATIENCE / run.poll_seconds.max(1),
        tags: pairs(&run.tags),
        run_tags: pairs(&run.run_tags),
        user_data: &run.user_data,
        environment: run
            .environment
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect(),
        blocks: blocks.iter().map(values_of).collect(),
        program: shell_word(&run.program)?,
        check_request: shell_word(&run.check_request)?,
        key_word: shell_word(&run.key_file)?,
        manifest: MANIFEST,
        plugin_versions: if newer { AMAZON_PLUGIN_VERSIONS } else { "" },
        imds_v2: newer,
    };
    let text = render(catalog, TEMPLATE, Language::Packer, &values)?;
    let parsed: serde_json::Value = serde_json::from_str(&text).map_err(|e| RenderError {
        at: None,
        template: TEMPLATE.to_owned(),
        message: format!("it does not render to JSON: {e}"),
    })?;
    let mut out = BTreeMap::from([(
        RENDERED.to_owned(),
        serde_json::to_vec_pretty(&parsed).unwrap_or_default(),
    )]);
    for block in blocks {
        match block {
            Block::Script { name, text, .. } => out.insert(name, text),
            Block::Upload { name, content, .. } => out.insert(name, content),
            Block::Folder { name, files, .. } | Block::Playbook { name, files } => {
                out.extend(
                    files
                        .into_iter()
                        .map(|(path, content)| (format!("{name}/{path}"), content)),
                );
                None
            }
            Block::Check => None,
        };
    }
    Ok(out)
}

/// EC2 allows 255 characters in an AMI's description.
fn description(image: &Image) -> String {
    let text = if image.description.is_empty() {
        image.name.as_str()
    } else {
        &image.description
    };
    text.chars().take(255).collect()
}

fn pairs(tags: &Tags) -> Vec<Pair<'_>> {
    tags.iter()
        .map(|(key, value)| Pair { key, value })
        .collect()
}

fn values_of(block: &Block) -> BlockValues {
    let (kind, name, to, command) = match block {
        Block::Script {
            name, interpreter, ..
        } => ("script", name.as_str(), "", interpreter.as_str()),
        Block::Upload { name, to, .. } => ("upload", name.as_str(), to.as_str(), ""),
        Block::Folder { name, to, .. } => ("folder", name.as_str(), to.as_str(), ""),
        Block::Playbook { name, .. } => ("playbook", name.as_str(), "", ""),
        Block::Check => ("check", "", "", ""),
    };
    BlockValues {
        kind,
        name: name.to_owned(),
        to: to.to_owned(),
        command: command.to_owned(),
    }
}

/// A word of the shell-local command line; it is quoted for HCL and JSON when rendered.
fn shell_word(text: &str) -> Result<String, RenderError> {
    let mut out = Vec::new();
    super::quote::shell(text, &mut out).map_err(|e| RenderError {
        at: None,
        template: TEMPLATE.to_owned(),
        message: e.to_string(),
    })?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
