//! Owns the way from the shape of one image file to a draft: everything that can be said without the other images.

mod configuration;
pub(crate) mod link;

use std::collections::BTreeMap;

use crate::catalog::Source;
use crate::catalog::checker::{Checker, shown};
use crate::catalog::checks::ParsedCheck;
use crate::catalog::files::{Files, destination, read_named};
use crate::catalog::profiles::overrides::{Overrides, ProfileUse};
use crate::catalog::profiles::waivers::WaiverEntry;
use crate::catalog::raw::{RawFile, RawImage, RawSource, Text};
use crate::catalog::settings::{SettingsDefaults, check_unique};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::yaml::source::SourceFile;
use crate::catalog::{codes, defaults, syntax};
use crate::model::{Arch, Tags};
use crate::platform::Platform;
use crate::provision::Provision;
use crate::provision::file::File;
use crate::provision::script::Script;

/// An image that does not know its parent yet.
#[derive(Debug)]
pub(crate) struct ImageDraft<'a> {
    pub(crate) origin: SourceFile<'a>,
    pub(crate) description: String,
    pub(crate) source: Option<Source>,
    pub(crate) parent: Option<Text>,
    pub(crate) platform: Option<Platform>,
    pub(crate) arch: Option<Arch>,
    pub(crate) environment: Option<Text>,
    pub(crate) packages: Vec<Text>,
    pub(crate) provision: Vec<Provision>,
    pub(crate) profiles: Vec<ProfileUse>,
    pub(crate) checks: Vec<ParsedCheck>,
    pub(crate) changes: Overrides,
    pub(crate) waivers: Vec<WaiverEntry<'a>>,
    pub(crate) tags: Tags,
    pub(crate) disk_gib: Option<Spanned<u32>>,
    pub(crate) max_age: Option<jiff::SignedDuration>,
    pub(crate) rebase_after: u32,
}

/// What an image's file says about how it is judged.
pub(crate) struct ImageChecks<'a> {
    pub(crate) profiles: Vec<ProfileUse>,
    pub(crate) checks: Vec<ParsedCheck>,
    pub(crate) changes: Overrides,
    pub(crate) waivers: Vec<WaiverEntry<'a>>,
}

/// Checks one image; the files it names are put into `named`. `lost` are the keys whose values were no use at all.
pub(crate) fn draft<'a>(
    (raw, lost): (RawImage, &[String]),
    ImageChecks {
        profiles,
        checks,
        changes,
        waivers,
    }: ImageChecks<'a>,
    known: &SettingsDefaults,
    files: &dyn Files,
    named: &mut BTreeMap<String, Vec<u8>>,
    c: &mut Checker<'a, '_>,
) -> ImageDraft<'a> {
    let description = raw
        .description
        .as_ref()
        .and_then(|d| c.ascii_line("a description", d, defaults::MAX_DESCRIPTION));
    origin(&raw, lost, c);
    let mut provision = parse_files(&raw.files, files, named, c);
    configuration::put(&raw, files, named, &mut provision, c);
    for script in &raw.scripts {
        if let Some(bytes) = read_named(c, files, script) {
            named.insert(script.value.clone(), bytes);
            provision.push(Provision::Script(Script {
                path: script.value.clone(),
            }));
        }
    }
    let mut seen = BTreeMap::new();
    let mut unique = |list: Vec<Text>, code, what, c: &mut Checker<'_, '_>| {
        seen.clear();
        list.into_iter()
            .filter(|t| check_unique(&mut seen, t, (code, what), c).is_some())
            .collect::<Vec<_>>()
    };
    let parent = raw.parent.filter(|_| raw.source.is_none());
    let packages = unique(raw.packages, codes::DUPLICATE_PACKAGE, "the package", c);
    ImageDraft {
        origin: c.source,
        description: description.unwrap_or_default(),
        source: raw.source.and_then(|s| vendor(&s, c)),
        parent,
        platform: raw.platform.map(|p| p.value),
        arch: raw.arch.map(|a| a.value),
        environment: raw.environment,
        packages,
        provision,
        profiles,
        checks,
        changes,
        waivers,
        tags: c.tags(&raw.tags, &known.environment_key),
        disk_gib: raw.disk_gib,
        max_age: raw
            .max_age
            .as_ref()
            .and_then(|t| c.time(t))
            .or(known.max_age),
        rebase_after: raw.rebase_after.unwrap_or(known.rebase_after),
    }
}

/// Exactly one of `source` and `parent`; what only a base image has is refused on others.
fn origin(raw: &RawImage, lost: &[String], c: &mut Checker<'_, '_>) {
    match (&raw.source, &raw.parent) {
        (Some(source), Some(parent)) => {
            let other = c.source.span(source.span.start..source.span.start);
            c.error(
                codes::ORIGIN,
                &parent.span,
                "an image has either `source` or `parent`, not both",
            )
            .help("a base image has `source`, a custom image has `parent`; remove one")
            .related(other, "the source is given here");
        }
        (None, None)
            if lost
                .iter()
                .any(|key| matches!(key.as_str(), "source" | "parent")) => {}
        (None, None) => {
            c.error(codes::ORIGIN, &(0..0), "the image has neither `source` nor `parent`")
                .help("add `parent: NAME` to build on another image, or `source:` to start from a vendor's AMI");
        }
        (None, Some(_)) => {
            let platform = raw.platform.as_ref().map(|p| ("platform", &p.span));
            let arch = raw.arch.as_ref().map(|a| ("arch", &a.span));
            for (key, span) in [platform, arch].into_iter().flatten() {
                c.error(
                    codes::INHERITED,
                    span,
                    format!("`{key}` comes from the base image"),
                )
                .help("remove the key here");
            }
        }
        (Some(_), None) => {}
    }
}

fn vendor(raw: &Spanned<RawSource>, c: &mut Checker<'_, '_>) -> Option<Source> {
    let Spanned {
        value: RawSource { owner, name, ssm },
        span,
    } = raw;
    match (owner, name, ssm) {
        (None, None, Some(ssm)) => c
            .aws("an SSM parameter's name", Some(ssm), &syntax::PARAMETER)
            .map(Source::Parameter),
        (Some(owner), Some(name), None) => {
            let owner = c.aws("an image owner", Some(owner), &syntax::IMAGE_OWNER);
            let name = c.aws("an AMI's name pattern", Some(name), &syntax::IMAGE_PATTERN);
            Some(Source::Filter {
                owner: owner?,
                name: name?,
            })
        }
        _ if c
            .diagnostics
            .has_diagnostic_in(&c.source.span(span.clone())) =>
        {
            None
        }
        _ => {
            c.error(
                codes::SOURCE,
                &(span.start..span.start),
                "a source is either `owner` and `name`, or `ssm`",
            )
            .help("such as `source: {owner: \"136693071363\", name: \"debian-12-amd64-*\"}`");
            None
        }
    }
}

fn parse_files(
    list: &[RawFile],
    files: &dyn Files,
    named: &mut BTreeMap<String, Vec<u8>>,
    c: &mut Checker<'_, '_>,
) -> Vec<Provision> {
    let mut taken = BTreeMap::new();
    let mut out = Vec::new();
    for raw in list {
        let content = raw
            .source
            .as_ref()
            .and_then(|source| read_named(c, files, source).map(|b| (source, b)));
        let destination = raw.destination.as_ref().and_then(|d| destination(c, d));
        let owner = raw
            .owner
            .as_ref()
            .map(|o| c.name(codes::OWNER, "an owner", o, &syntax::OWNER));
        let mode = raw
            .mode
            .as_ref()
            .map(|m| c.name(codes::MODE, "an octal mode", m, &syntax::MODE));
        let owner = owner.unwrap_or(Some(defaults::OWNER.to_owned()));
        let mode = mode
            .unwrap_or(Some(defaults::MODE.to_owned()))
            .map(|m| format!("{m:0>4}"));
        if let Some(text) = raw.destination.as_ref().filter(|_| destination.is_some()) {
            check_unique(&mut taken, text, (codes::DESTINATION, "the destination"), c);
        }
        if let (Some((source, bytes)), Some(destination), Some(owner), Some(mode)) =
            (content, destination, owner, mode)
        {
            named.insert(source.value.clone(), bytes);
            out.push(Provision::File(File {
                source: source.value.clone(),
                destination,
                owner,
                mode,
            }));
        }
    }
    out
}

/// Whether the name in the file is the file's own; the catalog knows an image by its file.
pub(crate) fn check_image_name(
    given: Option<&Text>,
    stem: &str,
    others: &[String],
    c: &mut Checker<'_, '_>,
) {
    let Some(text) = given else {
        if let Err(error) = crate::model::check_name(stem) {
            c.error(
                codes::NAME,
                &(0..0),
                format!("`{}` is not an image's name: {error}", shown(stem)),
            )
            .help("rename the file: its name without `.yaml` is the image's");
        }
        return;
    };
    if c.name(codes::NAME, "an image's name", text, &syntax::NAME)
        .is_none()
        || text.value == stem
    {
        return;
    }
    let other = format!("images/{}.yaml", text.value);
    if others.contains(&other) {
        let span = crate::diagnostic::Span::file(other);
        c.error(
            codes::DUPLICATE_IMAGE,
            &text.span,
            format!("the image `{}` is defined twice", text.value),
        )
        .help("remove one, or remove `name` here to call this one by its file's name")
        .related(span, "also defined by this file");
    } else {
        c.error(
            codes::NAME_IS_NOT_STEM,
            &text.span,
            format!("the name `{}` is not the file's", text.value),
        )
        .help(format!("rename the file to `{other}`, or remove `name`"));
    }
}
