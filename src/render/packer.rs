//! Renders the Packer build of one image.

use std::collections::BTreeMap;

use serde::Serialize;

use super::block::{Block, Connection};
use super::provision::blocks;
use super::{Language, RenderError, render};
use crate::catalog::{Access, Catalog, Image, Placement, Volume, VolumeType};
use crate::model::{AMAZON_PLUGIN_VERSIONS, Tags, is_aws_endpoint};
use crate::provision::script::REBOOT_MINUTES;

/// Path of the template.
pub const TEMPLATE: &str = "templates/packer/amazon-ebs.pkr.json";
/// Name of the rendered template in the build directory.
pub const RENDERED: &str = "image.pkr.json";
/// Name of the manifest in the build directory. The manifest is the earliest durable record of the
/// created AMI.
pub const MANIFEST: &str = "manifest.json";
/// Oldest Packer that connects through SSM sessions.
pub const MIN_FOR_SESSIONS: semver::Version = semver::Version::new(1, 7, 0);

/// Values that are known only during the run.
#[derive(Debug, Clone)]
pub struct RunValues {
    /// Region.
    pub region: String,
    /// Instance type and subnet of the build instance.
    pub placement: Placement,
    /// AMI of the origin.
    pub base_ami: String,
    /// Name of the new AMI.
    pub ami_name: String,
    /// Tags of the AMI and its snapshots.
    pub tags: Tags,
    /// Tags of the build instance and its volume.
    pub run_tags: Tags,
    /// Name of the key pair.
    pub key_name: String,
    /// File of the private key.
    pub key_file: String,
    /// ID of the security group.
    pub group: String,
    /// Name of the root device of the base AMI.
    pub root_device: String,
    /// Other devices of the base AMI.
    pub other_devices: Vec<String>,
    /// KMS key of all volumes.
    pub kms_key: Option<String>,
    /// EC2 endpoint of the environment, such as that of the local EC2 or of a VPC.
    pub endpoint: Option<String>,
    /// Seconds between two polls of Packer.
    pub poll_seconds: u32,
    /// User data of the build instance.
    pub user_data: String,
    /// Environment for scripts.
    pub environment: BTreeMap<String, String>,
    /// Path of the bakeline program, which runs the build-phase checks.
    pub program: String,
    /// Request file for the build-phase checks.
    pub check_request: String,
    /// Version of Packer. Newer options are rendered only if it supports them.
    pub packer: semver::Version,
}

/// Variables of the template. Maps are lists of pairs, so that the template controls order and
/// quoting.
#[derive(Serialize)]
struct PackerValues<'v> {
    image: String,
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
    ssh_pty: bool,
    boot_wait: String,
    key_name: &'v str,
    key_file: &'v str,
    group: &'v str,
    root_device: &'v str,
    volumes: Vec<VolumeValues<'v>>,
    kms_key: &'v str,
    endpoint: &'v str,
    /// True if the endpoint is not one of AWS, so that Packer cannot check credentials and Regions.
    local_endpoint: bool,
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
    reboot_limit: String,
    plugin_versions: &'v str,
    imds_v2: bool,
    /// Variables of an image with its own template.
    variables: &'v BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Pair<'v> {
    key: &'v str,
    value: &'v str,
}

/// A volume at launch. 0 and an empty text mean the value of the AMI, or EC2's default.
#[derive(Serialize)]
struct VolumeValues<'v> {
    device: &'v str,
    size: u32,
    kind: &'static str,
    iops: u32,
    throughput: u32,
}

#[derive(Serialize)]
struct BlockValues {
    kind: &'static str,
    name: String,
    to: String,
    may_reboot: bool,
    /// Pause before a script that waits for a boot, or an empty text. A script of the catalog can
    /// end before the shutdown begins.
    pause: &'static str,
}

/// Longest time that Packer waits for a state, in seconds.
const MAX_WAIT_SECONDS: u32 = 3600;

/// Returns the files for Packer by name in the build directory.
///
/// # Errors
/// Fails if a template or file is missing or invalid, a value cannot be quoted, or Packer is too
/// old.
pub fn files(
    catalog: &Catalog,
    image: &Image,
    run: &RunValues,
) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let blocks = blocks(catalog, image)?;
    let builder = image.builder(&catalog.settings);
    let is_recent = run.packer >= MIN_FOR_SESSIONS;
    if builder.access == Access::Ssm && !is_recent {
        return Err(template_error(too_old_for_sessions(&run.packer)));
    }
    let values = PackerValues {
        image: source_name(image),
        description: ami_description(image),
        region: &run.region,
        base_ami: &run.base_ami,
        ami_name: &run.ami_name,
        instance_type: &run.placement.instance_type,
        subnet: run.placement.subnet.as_deref().unwrap_or(""),
        instance_profile: builder.instance_profile.as_deref().unwrap_or(""),
        public_address: builder.public_address,
        ssm: builder.access == Access::Ssm,
        login_user: image.login_user(),
        ssh_pty: image.instance.ssh_pty.unwrap_or(false),
        boot_wait: boot_wait(image),
        key_name: &run.key_name,
        key_file: &run.key_file,
        group: &run.group,
        root_device: &run.root_device,
        volumes: volume_values(image, run),
        kms_key: run.kms_key.as_deref().unwrap_or(""),
        endpoint: run.endpoint.as_deref().unwrap_or(""),
        local_endpoint: run
            .endpoint
            .as_deref()
            .is_some_and(|url| !is_aws_endpoint(url)),
        poll_seconds: run.poll_seconds,
        poll_attempts: MAX_WAIT_SECONDS / run.poll_seconds.max(1),
        tags: tag_pairs(&run.tags),
        run_tags: tag_pairs(&run.run_tags),
        user_data: &run.user_data,
        environment: run
            .environment
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect(),
        blocks: blocks.iter().map(block_values).collect(),
        program: shell_word(&run.program)?,
        check_request: shell_word(&run.check_request)?,
        key_word: shell_word(&run.key_file)?,
        manifest: MANIFEST,
        reboot_limit: format!("{REBOOT_MINUTES}m"),
        plugin_versions: if is_recent {
            AMAZON_PLUGIN_VERSIONS
        } else {
            ""
        },
        imds_v2: is_recent,
        variables: &image.template_variables,
    };
    let template = template_of(image);
    let text = render(catalog, template, Language::Packer, &values)?;
    let parsed: serde_json::Value = serde_json::from_str(&text).map_err(|e| RenderError {
        at: None,
        template: template.to_owned(),
        message: format!("the rendered template is not valid JSON: {e}"),
    })?;
    if image.template.is_some() {
        require_parts(template, &text, &blocks, run)?;
    }
    let mut out = BTreeMap::from([(
        RENDERED.to_owned(),
        serde_json::to_vec_pretty(&parsed).unwrap_or_default(),
    )]);
    insert_block_files(blocks, &mut out);
    Ok(out)
}

fn template_error(message: String) -> RenderError {
    RenderError {
        at: None,
        template: TEMPLATE.to_owned(),
        message,
    }
}

/// Describes a version of Packer that cannot connect through SSM sessions.
#[must_use]
pub fn too_old_for_sessions(packer: &semver::Version) -> String {
    format!(
        "`access: ssm` requires Packer {MIN_FOR_SESSIONS} or newer; the installed version is {packer}"
    )
}

/// Checks that a rendered own template has the parts without which a build would skip provisioners
/// or checks, or would use resources of others.
fn require_parts(
    template: &str,
    rendered: &str,
    blocks: &[Block],
    run: &RunValues,
) -> Result<(), RenderError> {
    let names = blocks.iter().map(|block| match block {
        Block::Script { name, .. }
        | Block::Upload { name, .. }
        | Block::Folder { name, .. }
        | Block::Playbook { name, .. } => name.as_str(),
        Block::Check => "check-build",
    });
    let values = [&run.base_ami, &run.ami_name, &run.key_name, &run.group];
    let values = values.into_iter().chain(&run.kms_key);
    let mut parts = names.chain(values.map(String::as_str));
    let Some(missing) = parts.find(|part| !rendered.contains(part)) else {
        return Ok(());
    };
    Err(RenderError {
        at: None,
        template: template.to_owned(),
        message: format!(
            "the rendered template does not contain `{missing}`; keep all parts of {TEMPLATE}"
        ),
    })
}

/// Returns the path of the Packer template of an image.
#[must_use]
pub fn template_of(image: &Image) -> &str {
    image.template.as_deref().unwrap_or(TEMPLATE)
}

/// Returns the names of the variables that an image's own template uses as `variables.NAME`.
#[must_use]
pub fn used_variables(text: &str) -> Vec<&str> {
    let uses = text.split("variables.").skip(1);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    uses.map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default())
        .collect()
}

/// Adds the files of the blocks.
fn insert_block_files(blocks: Vec<Block>, out: &mut BTreeMap<String, Vec<u8>>) {
    for block in blocks {
        match block {
            Block::Script { name, text, .. } => {
                out.insert(name, text);
            }
            Block::Upload { name, content, .. } => {
                out.insert(name, content);
            }
            Block::Folder { name, files, .. } | Block::Playbook { name, files } => {
                let files = files.into_iter();
                out.extend(files.map(|(path, content)| (format!("{name}/{path}"), content)));
            }
            Block::Check => {}
        }
    }
}

/// Returns the volumes that differ from those of the AMI that the build starts from. With a key,
/// these are all volumes.
fn volume_values<'v>(image: &'v Image, run: &'v RunValues) -> Vec<VolumeValues<'v>> {
    let root_device = run.root_device.as_str();
    let value = |volume: &'v Volume| VolumeValues {
        device: volume.device.as_deref().unwrap_or(root_device),
        size: volume.size_gib.unwrap_or(0),
        kind: volume.kind.map_or("", VolumeType::as_str),
        iops: volume.iops.unwrap_or(0),
        throughput: volume.throughput.unwrap_or(0),
    };
    let mut out: Vec<VolumeValues<'v>> = image.volumes.iter().map(value).collect();
    let devices = std::iter::once(root_device).chain(run.other_devices.iter().map(String::as_str));
    for device in devices.filter(|_| run.kms_key.is_some()) {
        if !out.iter().any(|volume| volume.device == device) {
            out.push(VolumeValues {
                device,
                size: 0,
                kind: "",
                iops: 0,
                throughput: 0,
            });
        }
    }
    out
}

/// Returns the name of the Packer source. Packer allows no `.` in it.
fn source_name(image: &Image) -> String {
    image.name.as_str().replace('.', "-")
}

/// Returns the pause before Packer connects, or an empty text.
fn boot_wait(image: &Image) -> String {
    let seconds = image.instance.boot_wait.map_or(0, |wait| wait.as_secs());
    if seconds > 0 {
        format!("{seconds}s")
    } else {
        String::new()
    }
}

/// Returns the description of the AMI: at most 255 characters (EC2).
fn ami_description(image: &Image) -> String {
    let text = if image.description.is_empty() {
        image.name.published()
    } else {
        &image.description
    };
    text.chars().take(255).collect()
}

fn tag_pairs(tags: &Tags) -> Vec<Pair<'_>> {
    tags.iter()
        .map(|(key, value)| Pair { key, value })
        .collect()
}

fn block_values(block: &Block) -> BlockValues {
    let (kind, name, to, connection) = match block {
        Block::Script {
            name, connection, ..
        } => ("script", name.as_str(), "", *connection),
        Block::Upload { name, to, .. } => {
            ("upload", name.as_str(), to.as_str(), Connection::Stable)
        }
        Block::Folder { name, to, .. } => {
            ("folder", name.as_str(), to.as_str(), Connection::Stable)
        }
        Block::Playbook { name, .. } => ("playbook", name.as_str(), "", Connection::Stable),
        Block::Check => ("check", "", "", Connection::Stable),
    };
    BlockValues {
        kind,
        name: name.to_owned(),
        to: to.to_owned(),
        may_reboot: connection == Connection::MayReboot,
        pause: match connection {
            Connection::Stable | Connection::MayReboot => "",
            Connection::AfterUpdate => "3s",
            Connection::AfterReboot => "10s",
        },
    }
}

/// Quotes a word of the shell-local command line. Rendering then quotes it for HCL and JSON.
fn shell_word(text: &str) -> Result<String, RenderError> {
    let mut out = Vec::new();
    super::quote::shell(text, &mut out).map_err(|e| template_error(e.to_string()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
