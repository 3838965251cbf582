//! Checks the values of one image file, as far as other images are not involved.

mod configuration;
pub(crate) mod draft;
mod files;
mod instance;
pub(crate) mod link;
mod scripts;
mod source;
mod source_filters;
mod volumes;

pub(crate) use instance::report_missing_profile;

use std::collections::BTreeMap;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::image::draft::{ArchSetting, ImageChecks, ImageContext, ImageDraft};
use crate::catalog::raw::{RawArch, RawImage, Text};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::yaml::validate::helps::suggested_key;
use crate::catalog::{codes, defaults, syntax};
use crate::model::ImageName;
use crate::provision::Provision;

/// Checks one image, and adds the files that it uses to the context.
///
/// `removed_keys` are keys whose values were invalid.
pub(crate) fn parse_image<'a>(
    raw: RawImage,
    removed_keys: &[String],
    checks: ImageChecks<'a>,
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'a, '_>,
) -> ImageDraft<'a> {
    let description = raw
        .description
        .as_ref()
        .and_then(|d| checker.check_ascii_line("a description", d, defaults::MAX_DESCRIPTION));
    check_origin(&raw, removed_keys, checker);
    let provision = parse_provision(&raw, context, checker);
    let instance = instance::parse_instance(&raw, context.known, checker);
    let volumes = volumes::parse_volumes(&raw.volumes, raw.disk_gib, checker);
    let parent = raw.parent.filter(|_| raw.source.is_none());
    let known = context.known;
    let ImageChecks {
        profiles,
        checks,
        overrides,
        waivers,
    } = checks;
    ImageDraft {
        file: checker.source,
        description: description.unwrap_or_default(),
        source: raw.source.and_then(|s| source::parse_source(&s, checker)),
        parent,
        platform: raw.platform.map(|p| p.value),
        arch: raw.arch.and_then(|arch| parse_arch(&arch, checker)),
        is_split: false,
        environment: raw.environment,
        packages: parse_packages(raw.packages, checker),
        provision,
        profiles,
        checks,
        overrides,
        waivers,
        tags: checker.check_image_tags(&raw.tags, &known.environment_key, &known.builder_tags),
        volumes,
        instance,
        template: raw
            .template
            .as_ref()
            .and_then(|path| parse_template(path, context, checker)),
        max_age: raw
            .max_age
            .as_ref()
            .and_then(|t| checker.parse_duration(t))
            .or(known.max_age),
        rebase_after: raw.rebase_after.unwrap_or(known.rebase_after),
        variables: BTreeMap::new(),
        template_variables: BTreeMap::new(),
    }
}

/// Returns the provisioners of an image in order, without the packages.
fn parse_provision(
    raw: &RawImage,
    context: &mut ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Vec<Provision> {
    let mut provision = files::parse_files(&raw.files, context, checker);
    configuration::parse_configuration(raw, context, &mut provision, checker);
    provision.extend(scripts::parse_scripts(&raw.scripts, context, checker));
    provision
}

/// Returns the architecture of the image. The expansion has replaced a valid list by its entries.
fn parse_arch(arch: &Spanned<RawArch>, checker: &mut Checker<'_, '_>) -> Option<ArchSetting> {
    let list = match &arch.value {
        RawArch::One(value) => {
            return Some(ArchSetting {
                value: *value,
                span: arch.span.clone(),
            });
        }
        RawArch::Several(list) => list,
    };
    let twice = list
        .iter()
        .enumerate()
        .find(|(at, a)| list[..*at].contains(a));
    if let Some((_, twice)) = twice {
        let message = format!("`arch` contains {twice} twice");
        checker
            .error(codes::WRONG_TYPE, &arch.span, message)
            .help("list each architecture once");
    }
    None
}

/// Returns the path of the image's own Packer template.
fn parse_template(
    path: &Text,
    context: &ImageContext<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<String> {
    const FOLDER: &str = "templates/packer/";
    let known = context.contents.keys().map(String::as_str);
    let mut templates = known.filter(|known| known.starts_with(FOLDER));
    if templates.clone().any(|known| known == path.value) {
        return Some(path.value.clone());
    }
    let message = format!(
        "the Packer template `{}` does not exist",
        quote_text(&path.value)
    );
    let near = crate::diagnostic::nearest(&path.value, &mut templates);
    let help = near.map_or_else(
        || format!("create it below `{FOLDER}`; start from a copy of amazon-ebs.pkr.json"),
        |near| format!("did you mean `{near}`?"),
    );
    checker
        .error(codes::PATH_MISSING, &path.span, message)
        .help(help);
    None
}

/// Returns the packages without duplicates.
fn parse_packages(packages: Vec<Text>, checker: &mut Checker<'_, '_>) -> Vec<Text> {
    let mut seen = BTreeMap::new();
    packages
        .into_iter()
        .filter(|package| {
            checker.check_unique(&mut seen, package, codes::DUPLICATE_PACKAGE, "package")
        })
        .collect()
}

/// Reports images without exactly one of `source` and `parent`, and keys that only base images
/// have.
fn check_origin(raw: &RawImage, removed_keys: &[String], checker: &mut Checker<'_, '_>) {
    match (&raw.source, &raw.parent) {
        (Some(source), Some(parent)) => {
            let other = checker.source.span(source.span.start..source.span.start);
            checker
                .error(
                    codes::ORIGIN,
                    &parent.span,
                    "an image cannot have both `source` and `parent`",
                )
                .help("keep `source` for a base image, or `parent` for a custom image")
                .add_related(other, "the source is given here");
        }
        (None, None) if removed_keys.iter().any(|key| is_origin(key)) => {}
        (None, None) => {
            checker
                .error(
                    codes::ORIGIN,
                    &(0..0),
                    "the image has neither `source` nor `parent`",
                )
                .help(
                    "add `parent: NAME` to build on another image, \
                       or `source:` to start from a vendor AMI; a profile belongs in profiles/",
                );
        }
        (None, Some(_)) => {
            if let Some(platform) = &raw.platform {
                let message = "`platform` can be set in a base image only";
                checker
                    .error(codes::INHERITED, &platform.span, message)
                    .help("remove the key; the image inherits it");
            }
        }
        (Some(_), None) => {}
    }
}

/// Returns true if a key is `source` or `parent`, or probably means one of them.
fn is_origin(key: &str) -> bool {
    let words = ["source", "parent"];
    words.contains(&key) || suggested_key(key, words.into_iter()).is_some()
}

/// Reports a parent that is written with an architecture.
pub(crate) fn check_parent_name(parent: &Text, checker: &mut Checker<'_, '_>) {
    let name = ImageName::from(parent.value.as_str());
    if let Some(arch) = name.arch() {
        let published = name.published();
        let message = format!("the parent `{name}` is one architecture of `{published}`");
        checker
            .error(codes::UNKNOWN_PARENT, &parent.span, message)
            .help(format!("write `parent: {published}` and `arch: {arch}`"));
    }
}

/// Reports a name that differs from the name of the file. The catalog identifies an image by its
/// file.
pub(crate) fn check_image_name(
    name: Option<&Text>,
    stem: &str,
    others: &[String],
    checker: &mut Checker<'_, '_>,
) {
    let Some(text) = name else {
        if let Err(error) = crate::model::check_name(stem) {
            checker
                .error(
                    codes::NAME,
                    &(0..0),
                    format!("`{}` is not a valid image name: {error}", quote_text(stem)),
                )
                .help("rename the file: its name without `.yaml` is the name of the image");
        }
        return;
    };
    if checker
        .check_name(codes::NAME, "a valid image name", text, &syntax::NAME)
        .is_none()
        || text.value == stem
    {
        return;
    }
    let other = format!("images/{}.yaml", text.value);
    if others.contains(&other) {
        let span = crate::diagnostic::Span::file(other);
        checker
            .error(
                codes::DUPLICATE_IMAGE,
                &text.span,
                format!("the image `{}` is defined twice", text.value),
            )
            .help("remove one of them, or remove `name` to use the name of the file")
            .add_related(span, "also defined by this file");
    } else {
        checker
            .error(
                codes::NAME_IS_NOT_STEM,
                &text.span,
                format!(
                    "the name `{}` differs from the name of the file",
                    text.value
                ),
            )
            .help(format!("rename the file to `{other}`, or remove `name`"));
    }
}
