//! Loads a catalog: reads all files, checks each file, then checks the relations between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::checker::Checker;
use crate::catalog::checks::{ControlIds, parse_checks};
use crate::catalog::expand::{
    ExpandedImage, Expansion, ImageFile, Level, UnusedVariable, expand_images, read_level,
};
use crate::catalog::files::{Files, SETTINGS_FILE};
use crate::catalog::image::draft::{ImageChecks, ImageContext, ImageDraft};
use crate::catalog::image::link::Linker;
use crate::catalog::image::{
    check_image_name, check_parent_name, parse_image, report_missing_profile,
};
use crate::catalog::loaded::{LoadedCatalog, drop_consequences};
use crate::catalog::misplaced::report_image;
use crate::catalog::profiles::controls::ControlSources;
use crate::catalog::profiles::overrides::{Overrides, parse_profile_uses};
use crate::catalog::profiles::waivers::{
    WAIVERS_FILE, WaiverEntry, parse_own_waivers, parse_waivers,
};
use crate::catalog::profiles::{
    ProfileFile, parse_metadata, report_unknown_profile, resolve_profiles,
};
use crate::catalog::raw::{RawImage, RawOwnWaiver, RawProfile, RawSettings, RawWaivers};
use crate::catalog::read::{
    ValidTree, deserialize_node, file_stem, image_stem, parse_tree, parse_untyped, read_templates,
    read_text, read_texts, validate_tree,
};
use crate::catalog::settings::{SharedSettings, parse_settings};
use crate::catalog::types::{Catalog, Profile, Settings};
use crate::catalog::yaml::secrets::report_secrets;
use crate::catalog::yaml::source::{Diagnostics, SourceFile, SourceText};
use crate::catalog::{codes, defaults, schema};
use crate::diagnostic::Diagnostic;

/// Loads a catalog. The caller decides about the variables that no image uses.
#[must_use]
pub fn load_with_unused(files: &dyn Files) -> LoadedCatalog {
    let mut diagnostics = Diagnostics::default();
    let texts = read_texts(files, &mut diagnostics);
    let source = |file: &str| {
        texts
            .get_key_value(file)
            .map(|(file, text)| SourceFile::new(file, text))
    };

    let SettingsFile {
        settings,
        known,
        variables,
    } = read_settings(source(SETTINGS_FILE), &mut diagnostics);
    let profile_names: Vec<String> = files
        .list("profiles")
        .iter()
        .filter_map(|path| file_stem(path, "profiles"))
        .map(str::to_owned)
        .collect();
    let profile_files = read_profiles(&texts, &mut diagnostics);
    let profiles = resolve_profiles(&profile_files, &profile_names, &mut diagnostics);
    let waivers = read_waivers(source(WAIVERS_FILE), &mut diagnostics);
    let mut contents = read_templates(files, &mut diagnostics);
    let images = {
        let context = ImageContext {
            known: &known,
            files,
            contents: &mut contents,
        };
        read_images(&texts, &variables, context, &mut diagnostics)
    };
    for draft in images.drafts.values() {
        for used in &draft.profiles {
            report_unknown_profile(
                &used.name.value,
                draft.file.span(used.name.span.clone()),
                &profile_names,
                &mut diagnostics,
            );
        }
    }
    let linker = Linker {
        drafts: &images.drafts,
        broken: &images.broken,
        has_unnamed: images.has_unnamed,
        sources: ControlSources {
            profiles: &profiles,
            waivers: &waivers,
        },
        states: BTreeMap::new(),
        known: &known,
        diagnostics: &mut diagnostics,
    };
    let linked = linker.link();
    report_missing_profile(&known, &linked, &mut diagnostics);
    let all_waivers = waivers
        .iter()
        .chain(images.drafts.values().flat_map(|d| &d.waivers))
        .map(WaiverEntry::to_catalog_waiver)
        .collect();
    let unused = drop_consequences(images.unused, &diagnostics);
    let is_valid = diagnostics.error_count() == 0;
    let settings = settings.filter(|_| is_valid);
    let catalog = settings.map(|settings| Catalog::new(settings, linked, contents, all_waivers));
    LoadedCatalog {
        catalog,
        diagnostics: diagnostics.into_sorted(),
        unused,
    }
}

/// Loads `bakeline.yaml` only, which is sufficient and fast for a lookup.
#[must_use]
pub fn load_settings(files: &dyn Files) -> (Option<Settings>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::default();
    let text = read_text(SETTINGS_FILE, files, &mut diagnostics);
    let source = text
        .as_ref()
        .map(|text| SourceFile::new(SETTINGS_FILE, text));
    let settings = read_settings(source, &mut diagnostics).settings;
    let settings = settings.filter(|_| diagnostics.error_count() == 0);
    (settings, diagnostics.into_sorted())
}

/// Content of `bakeline.yaml`.
struct SettingsFile<'a> {
    settings: Option<Settings>,
    known: SharedSettings,
    variables: Level<'a>,
}

fn read_settings<'a>(
    source: Option<SourceFile<'a>>,
    diagnostics: &mut Diagnostics,
) -> SettingsFile<'a> {
    let mut variables = Level::new();
    let parsed = source.and_then(|source| {
        let ValidTree { mut node, .. } = parse_tree(source, &schema::SETTINGS, diagnostics)?;
        variables = read_level(node.take("variables"), source, diagnostics);
        let raw = deserialize_node::<RawSettings>(&node, source, diagnostics)?;
        let mut checker = Checker {
            source,
            diagnostics,
        };
        Some(parse_settings(raw, &mut checker))
    });
    let fallback = || SharedSettings {
        environments: None,
        name: None,
        environment_key: defaults::ENVIRONMENT_KEY.to_owned(),
        max_age: None,
        rebase_after: defaults::REBASE_AFTER,
        require_errexit: false,
        builder_tags: BTreeSet::new(),
        is_access_private: false,
        profile_needed: None,
    };
    let (settings, known) = parsed.unwrap_or_else(|| (None, fallback()));
    SettingsFile {
        settings,
        known,
        variables,
    }
}

/// Reads all profiles by name. Unused profiles are checked too.
fn read_profiles<'a>(
    texts: &'a BTreeMap<String, SourceText>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, ProfileFile<'a>> {
    let mut out = BTreeMap::new();
    for (file, text) in texts {
        let Some(name) = file_stem(file, "profiles") else {
            continue;
        };
        let source = SourceFile::new(file, text);
        if let Some(profile) = read_profile(name, source, diagnostics) {
            out.insert(name.to_owned(), profile);
        }
    }
    out
}

fn read_profile<'a>(
    name: &str,
    source: SourceFile<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<ProfileFile<'a>> {
    let mut checker = Checker {
        source,
        diagnostics,
    };
    check_image_name(None, name, &[], &mut checker);
    let node = parse_untyped(source, checker.diagnostics)?;
    if report_image(name, &node, &mut checker) {
        return None;
    }
    let mut tree = validate_tree(node, source, &schema::PROFILE, checker.diagnostics)?;
    let has_checks = ["checks", "controls", "extends"].iter().any(|key| {
        tree.node.get(key).is_some() || tree.removed_keys.iter().any(|removed| removed == key)
    });
    if !has_checks {
        let start = tree.node.span.start;
        checker
            .error(
                codes::MISSING_KEY,
                &(start..start),
                "the key `checks` is missing",
            )
            .help("add `checks: …`, or `extends: …`");
    }
    let mut profile = ProfileFile::take(
        source,
        Profile::default(),
        &mut tree.node,
        checker.diagnostics,
    );
    let raw = deserialize_node::<RawProfile>(&tree.node, source, checker.diagnostics)?;
    profile.metadata = parse_metadata(name, &raw, &mut checker);
    Some(profile)
}

/// Reads the waivers of `waivers.yaml`.
fn read_waivers<'a>(
    source: Option<SourceFile<'a>>,
    diagnostics: &mut Diagnostics,
) -> Vec<WaiverEntry<'a>> {
    let parsed = source.and_then(|source| {
        let ValidTree { node, .. } = parse_tree(source, &schema::WAIVERS, diagnostics)?;
        let raw = deserialize_node::<RawWaivers>(&node, source, diagnostics)?;
        let mut checker = Checker {
            source,
            diagnostics,
        };
        Some(parse_waivers(raw.waivers.unwrap_or_default(), &mut checker))
    });
    parsed.unwrap_or_default()
}

/// Images of the catalog before they are linked.
struct ImageFiles<'a> {
    drafts: BTreeMap<String, ImageDraft<'a>>,
    /// Names of images whose files have errors.
    broken: BTreeSet<String>,
    /// True if the names of some images are not known.
    has_unnamed: bool,
    unused: Vec<UnusedVariable>,
}

fn read_images<'a>(
    texts: &'a BTreeMap<String, SourceText>,
    variables: &Level<'a>,
    mut context: ImageContext<'_>,
    diagnostics: &mut Diagnostics,
) -> ImageFiles<'a> {
    let paths: Vec<String> = texts
        .keys()
        .filter(|path| image_stem(path).is_some())
        .cloned()
        .collect();
    let Expansion {
        images: expanded,
        broken,
        has_unnamed,
        unused,
    } = expand_files(texts, variables, context.files, diagnostics);
    let mut images = ImageFiles {
        drafts: BTreeMap::new(),
        broken,
        has_unnamed,
        unused,
    };
    for image in expanded {
        let name = image.name.0.clone();
        match read_image(image, &paths, &mut context, diagnostics) {
            Some((draft, alias)) => {
                images.broken.extend(alias);
                images.drafts.insert(name, draft);
            }
            None => {
                images.broken.insert(name);
            }
        }
    }
    images
}

/// Parses and expands all image files.
fn expand_files<'a>(
    texts: &'a BTreeMap<String, SourceText>,
    variables: &Level<'a>,
    repository: &dyn Files,
    diagnostics: &mut Diagnostics,
) -> Expansion<'a> {
    let mut unreadable = BTreeSet::new();
    let mut files = Vec::new();
    for path in repository.list("images") {
        let Some(stem) = image_stem(&path) else {
            continue;
        };
        let file = texts.get_key_value(&path).and_then(|(file, text)| {
            let source = SourceFile::new(file, text);
            let node = parse_untyped(source, diagnostics)?;
            ImageFile::take(source, stem, node, variables, diagnostics)
        });
        match file {
            Some(file) => files.push(file),
            None => drop(unreadable.insert(stem.to_owned())),
        }
    }
    expand_images(&files, variables, repository, unreadable, diagnostics)
}

/// Calls `describe` with the expanded images of a valid catalog.
pub(crate) fn expand_catalog<T>(
    files: &dyn Files,
    describe: &mut dyn FnMut(&[ExpandedImage<'_>]) -> Option<T>,
) -> Option<T> {
    let mut diagnostics = Diagnostics::default();
    let texts = read_texts(files, &mut diagnostics);
    let (file, text) = texts.get_key_value(SETTINGS_FILE)?;
    let settings = read_settings(Some(SourceFile::new(file, text)), &mut diagnostics);
    let expansion = expand_files(&texts, &settings.variables, files, &mut diagnostics);
    describe(&expansion.images)
}

/// Reads one image. The second value is a different name in the file, which others may use.
fn read_image<'a>(
    image: ExpandedImage<'a>,
    paths: &[String],
    context: &mut ImageContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(ImageDraft<'a>, Option<String>)> {
    let first = diagnostics.count();
    let (path, inserted) = (image.source.path, image.inserted.clone());
    if !inserted.is_empty() {
        report_secrets(&image.source, &image.node, diagnostics);
    }
    let draft = read_expanded_image(image, paths, context, diagnostics);
    diagnostics.add_definitions(first, path, &inserted);
    draft
}

fn read_expanded_image<'a>(
    image: ExpandedImage<'a>,
    paths: &[String],
    context: &mut ImageContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(ImageDraft<'a>, Option<String>)> {
    let (source, name) = (image.source, image.published.as_str());
    let ValidTree {
        mut node,
        removed_keys,
    } = validate_tree(image.node, source, &schema::IMAGE, diagnostics)?;
    let (checks, waivers) = (node.take("checks"), node.take("waivers"));
    let mut checker = Checker {
        source,
        diagnostics,
    };
    let profiles = parse_profile_uses(node.take("profiles").as_ref(), &mut checker);
    let overrides = Overrides::take(&mut node);
    let raw = deserialize_node::<RawImage>(&node, source, checker.diagnostics)?;
    let own_waivers: Vec<RawOwnWaiver> = waivers
        .and_then(|node| deserialize_node(&node, source, checker.diagnostics))
        .unwrap_or_default();
    check_image_name(raw.name.as_ref(), name, paths, &mut checker);
    let alias = raw
        .name
        .as_ref()
        .map(|alias| alias.value.clone())
        .filter(|alias| alias != name);
    let checks = ImageChecks {
        profiles,
        checks: parse_checks(
            checks.as_ref(),
            &Arc::default(),
            &mut ControlIds::default(),
            &mut checker,
        ),
        overrides,
        waivers: parse_own_waivers(own_waivers, &mut checker),
    };
    let mut draft = parse_image(raw, &removed_keys, checks, context, &mut checker);
    if let (Some(written), Some(parent)) = (&mut draft.parent, image.parent) {
        check_parent_name(written, &mut checker);
        written.value = parent.0;
    }
    draft.is_split = image.name.arch().is_some();
    draft.variables = image.inputs;
    draft.template_variables = image.template_variables;
    Some((draft, alias))
}
