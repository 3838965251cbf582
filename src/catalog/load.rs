//! Owns the order of loading: read every text, check each by itself, then all of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::checks::{ControlIds, parse_checks};
use crate::catalog::files::{Files, Lookup};
use crate::catalog::image::link::Linker;
use crate::catalog::image::{ImageChecks, ImageDraft, check_image_name, draft};
use crate::catalog::profiles::controls::ControlSources;
use crate::catalog::profiles::overrides::{Overrides, parse_profile_uses};
use crate::catalog::profiles::waivers::{WAIVERS_FILE, WaiverEntry, parse_own_waivers, waivers};
use crate::catalog::profiles::{ProfileFile, about, flatten, report_unknown_profile};
use crate::catalog::raw::{RawImage, RawOwnWaiver, RawProfile, RawSettings, RawWaivers};
use crate::catalog::settings::{SettingsDefaults, settings};
use crate::catalog::yaml::deserialize::from_node;
use crate::catalog::yaml::node::Node;
use crate::catalog::yaml::source::{Diagnostics, SourceFile, SourceText};
use crate::catalog::{Catalog, codes, defaults, schema, yaml, yaml::secrets, yaml::validate};
use crate::diagnostic::{Diagnostic, Span};

/// The name of the settings' file.
pub const SETTINGS_FILE: &str = "bakeline.yaml";

/// Reads a whole catalog. The catalog is there exactly when there is no error among the findings; there may be warnings
/// beside it. Findings are ordered by file and span.
///
/// The range of a finding with the code [`codes::SECRET`] holds a secret: whoever shows texts must mask it in every
/// snippet, also in those of other findings.
#[must_use]
pub fn load(files: &dyn Files) -> (Option<Catalog>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::default();
    let texts = texts(files, &mut diagnostics);
    let source = |file: &str| {
        texts
            .get_key_value(file)
            .map(|(file, text)| SourceFile::new(file, text))
    };

    let (settings, known) = read_settings(source(SETTINGS_FILE), &mut diagnostics);
    let shipped: Vec<String> = files.list("profiles");
    let names: Vec<String> = shipped
        .iter()
        .filter_map(|p| stem(p, "profiles"))
        .map(str::to_owned)
        .collect();
    let profiles = flatten(
        &profiles(&texts, &mut diagnostics),
        &names,
        &mut diagnostics,
    );
    let waivers = read_waivers(source(WAIVERS_FILE), &mut diagnostics);
    let mut named = templates(files, &mut diagnostics);
    let paths: Vec<String> = texts
        .keys()
        .filter(|p| stem(p, "images").is_some())
        .cloned()
        .collect();
    let (mut drafts, mut broken) = (BTreeMap::new(), BTreeSet::new());
    for path in files
        .list("images")
        .iter()
        .filter_map(|p| stem(p, "images"))
    {
        let file = format!("images/{path}.yaml");
        let image = source(&file).and_then(|s| {
            read_image(
                s,
                path,
                &paths,
                (&known, files),
                &mut named,
                &mut diagnostics,
            )
        });
        match image {
            Some((draft, _)) if drafts.contains_key(path) => drop(draft),
            Some((draft, alias)) => {
                broken.extend(alias);
                drafts.insert(path.to_owned(), draft);
            }
            None => drop(broken.insert(path.to_owned())),
        }
    }
    for draft in drafts.values() {
        for used in &draft.profiles {
            report_unknown_profile(
                &used.name.value,
                draft.origin.span(used.name.span.clone()),
                &names,
                &mut diagnostics,
            );
        }
    }
    let sources = ControlSources {
        profiles: &profiles,
        waivers: &waivers,
    };
    let states = BTreeMap::new();
    let linker = Linker {
        drafts: &drafts,
        broken: &broken,
        sources,
        states,
        known: &known,
        diagnostics: &mut diagnostics,
    };
    let images = linker.link();
    let written = waivers
        .iter()
        .chain(drafts.values().flat_map(|d| &d.waivers))
        .map(WaiverEntry::written)
        .collect();
    let clean = diagnostics.error_count() == 0;
    let catalog = settings.filter(|_| clean).map(|settings| Catalog {
        settings,
        images,
        files: named,
        waivers: written,
    });
    (catalog, diagnostics.into_sorted())
}

/// The name in `folder/NAME.yaml`.
fn stem<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let name = path
        .strip_prefix(folder)?
        .strip_prefix('/')?
        .strip_suffix(".yaml")?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// Every YAML text of the catalog; those that can't be read are reported.
fn texts(files: &dyn Files, diagnostics: &mut Diagnostics) -> BTreeMap<String, SourceText> {
    let mut out = BTreeMap::new();
    for path in files
        .list("images")
        .into_iter()
        .filter(|p| stem(p, "images").is_none())
    {
        let extension = path.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
        let near = matches!(extension.as_deref(), Some("yml" | "yaml"));
        if near {
            diagnostics
                .error(
                    codes::IMAGE_FILE,
                    Span::file(path),
                    "this file would be ignored",
                )
                .help("images are the files images/NAME.yaml; move or rename it");
        }
    }
    let folder = |folder: &'static str| {
        files
            .list(folder)
            .into_iter()
            .filter(move |p| stem(p, folder).is_some())
    };
    let waivers = [WAIVERS_FILE.to_owned()]
        .into_iter()
        .filter(|path| files.get(path) != Lookup::Missing);
    for path in [SETTINGS_FILE.to_owned()]
        .into_iter()
        .chain(waivers)
        .chain(folder("images"))
        .chain(folder("profiles"))
    {
        if let Some(text) = text(&path, files, diagnostics) {
            out.insert(path, text);
        }
    }
    out
}

fn text(path: &str, files: &dyn Files, diagnostics: &mut Diagnostics) -> Option<SourceText> {
    let span = || Span::file(path);
    let problem = match files.get(path) {
        Lookup::Found(bytes) if bytes.len() > yaml::MAX_BYTES => "is larger than 1 MiB".to_owned(),
        Lookup::Found(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Some(SourceText::new(text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                diagnostics
                    .error(
                        codes::ENCODING,
                        Span::from_range(path, &text, at..at),
                        "the file is not UTF-8",
                    )
                    .help("save it as UTF-8");
                return None;
            }
        },
        Lookup::Missing if path == SETTINGS_FILE => {
            diagnostics.error(
                codes::MISSING_SETTINGS,
                span(),
                "there is no bakeline.yaml",
            )
            .help(
                "run this where the catalog is, or start one: `name: NAME` and `regions: [REGION]`",
            );
            return None;
        }
        Lookup::Missing => "is gone".to_owned(),
        Lookup::Escapes(to) => format!("is a link to `{}`, outside the repository", shown(&to)),
        Lookup::NotAFile => "is not a file".to_owned(),
        Lookup::TooLarge(size) => format!("has {size} bytes, more than 1 MiB"),
        Lookup::Unreadable(why) => format!("can't be read: {}", shown(&why)),
    };
    diagnostics
        .error(codes::UNREADABLE, span(), format!("the file {problem}"))
        .help("put a readable YAML text there");
    None
}

/// Parses a text and takes out, with a finding, whatever does not fit its schema.
fn tree(
    source: SourceFile<'_>,
    schema: &serde_json::Value,
    diagnostics: &mut Diagnostics,
) -> Option<Tree> {
    let mut node = yaml::parse(&source, diagnostics)?;
    secrets::check(&source, &node, diagnostics);
    let keys: Vec<String> = node
        .entries()
        .iter()
        .map(|(key, _)| key.text.clone())
        .collect();
    let usable = validate::validate(schema, &mut node, &source, diagnostics);
    let lost = keys
        .into_iter()
        .filter(|key| node.get(key).is_none())
        .collect();
    usable.then_some(Tree { node, lost })
}

/// A tree that fits its schema, and the keys that had to go for that.
struct Tree {
    node: Node,
    lost: Vec<String>,
}

/// Reads what is left of a tree into its type. The schema comes from the type, so nothing should be left to complain of.
fn typed<'n, T: serde::Deserialize<'n>>(
    node: &'n Node,
    source: SourceFile<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    from_node(node)
        .map_err(|error| {
            let span = source.span(error.span.unwrap_or(0..0));
            diagnostics.error(codes::WRONG_TYPE, span, error.message);
        })
        .ok()
}

/// Reads `bakeline.yaml` alone: enough for a lookup, and quick.
#[must_use]
pub fn load_settings(files: &dyn Files) -> (Option<super::Settings>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::default();
    let text = text(SETTINGS_FILE, files, &mut diagnostics);
    let source = text
        .as_ref()
        .map(|text| SourceFile::new(SETTINGS_FILE, text));
    let (settings, _) = read_settings(source, &mut diagnostics);
    let settings = settings.filter(|_| diagnostics.error_count() == 0);
    (settings, diagnostics.into_sorted())
}

fn read_settings(
    source: Option<SourceFile<'_>>,
    diagnostics: &mut Diagnostics,
) -> (Option<super::Settings>, SettingsDefaults) {
    let read = source.and_then(|source| {
        let Tree { node, .. } = tree(source, &schema::SETTINGS, diagnostics)?;
        let raw = typed::<RawSettings>(&node, source, diagnostics)?;
        Some(settings(
            raw,
            &mut Checker {
                source,
                diagnostics,
            },
        ))
    });
    let unknown = || SettingsDefaults {
        ladder: None,
        name: None,
        environment_key: defaults::ENVIRONMENT_KEY.to_owned(),
        max_age: None,
        rebase_after: defaults::REBASE_AFTER,
    };
    read.unwrap_or_else(|| (None, unknown()))
}

/// Every profile by name, also those that no image names: a mistake in one should not wait for its first user.
fn profiles<'a>(
    texts: &'a BTreeMap<String, SourceText>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, ProfileFile<'a>> {
    let mut out = BTreeMap::new();
    for (file, text) in texts {
        let Some(name) = stem(file, "profiles") else {
            continue;
        };
        let source = SourceFile::new(file, text);
        let mut c = Checker {
            source,
            diagnostics,
        };
        check_image_name(None, name, &[], &mut c);
        let Some(Tree { mut node, lost }) = tree(source, &schema::PROFILE, c.diagnostics) else {
            continue;
        };
        let keys = ["checks", "controls", "extends"];
        if !keys
            .iter()
            .any(|key| node.get(key).is_some() || lost.iter().any(|lost| lost == key))
        {
            let start = node.span.start;
            c.error(
                codes::MISSING_KEY,
                &(start..start),
                "the key `checks` is missing",
            )
            .help("add `checks: …`, or `extends: …`");
        }
        let mut written =
            ProfileFile::take(source, super::Profile::default(), &mut node, c.diagnostics);
        let Some(raw) = typed::<RawProfile>(&node, source, c.diagnostics) else {
            continue;
        };
        written.about = about(
            name,
            &raw,
            &mut Checker {
                source,
                diagnostics,
            },
        );
        out.insert(name.to_owned(), written);
    }
    out
}

/// The waivers of the whole catalog.
fn read_waivers<'a>(
    source: Option<SourceFile<'a>>,
    diagnostics: &mut Diagnostics,
) -> Vec<WaiverEntry<'a>> {
    let read = source.and_then(|source| {
        let Tree { node, .. } = tree(source, &schema::WAIVERS, diagnostics)?;
        let raw = typed::<RawWaivers>(&node, source, diagnostics)?;
        Some(waivers(
            raw.waivers.unwrap_or_default(),
            &mut Checker {
                source,
                diagnostics,
            },
        ))
    });
    read.unwrap_or_default()
}

/// A draft, and the other name by which the file may be known to others.
type Read<'a> = (ImageDraft<'a>, Option<String>);

fn read_image<'a>(
    source: SourceFile<'a>,
    stem: &str,
    paths: &[String],
    (known, files): (&SettingsDefaults, &dyn Files),
    named: &mut BTreeMap<String, Vec<u8>>,
    diagnostics: &mut Diagnostics,
) -> Option<Read<'a>> {
    let Tree { mut node, lost } = tree(source, &schema::IMAGE, diagnostics)?;
    let (checks, waivers) = (node.take("checks"), node.take("waivers"));
    let profiles = parse_profile_uses(
        node.take("profiles").as_ref(),
        &mut Checker {
            source,
            diagnostics,
        },
    );
    let changes = Overrides::take(&mut node);
    let raw = typed::<RawImage>(&node, source, diagnostics)?;
    let own: Vec<RawOwnWaiver> = waivers
        .and_then(|node| typed(&node, source, diagnostics))
        .unwrap_or_default();
    let mut c = Checker {
        source,
        diagnostics,
    };
    check_image_name(raw.name.as_ref(), stem, paths, &mut c);
    let alias = raw
        .name
        .as_ref()
        .map(|n| n.value.clone())
        .filter(|n| n != stem);
    let checks = parse_checks(
        checks.as_ref(),
        &Arc::default(),
        &mut ControlIds::default(),
        &mut c,
    );
    let waivers = parse_own_waivers(own, &mut c);
    let judged = ImageChecks {
        profiles,
        checks,
        changes,
        waivers,
    };
    Some((
        draft((raw, &lost), judged, known, files, named, &mut c),
        alias,
    ))
}

/// Every template of the catalog.
fn templates(files: &dyn Files, diagnostics: &mut Diagnostics) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for path in files.list("templates") {
        let problem = match files.get(&path) {
            Lookup::Found(bytes) => {
                out.insert(path, bytes);
                continue;
            }
            Lookup::Missing => (codes::PATH_MISSING, "the template is gone".to_owned()),
            Lookup::Escapes(to) => (
                codes::PATH_ESCAPES,
                format!("the template is a link to `{}`", shown(&to)),
            ),
            Lookup::NotAFile => (codes::PATH_KIND, "the template is not a file".to_owned()),
            Lookup::TooLarge(size) => (codes::PATH_KIND, format!("the template has {size} bytes")),
            Lookup::Unreadable(why) => (
                codes::PATH_KIND,
                format!("the template can't be read: {}", shown(&why)),
            ),
        };
        diagnostics
            .error(problem.0, Span::file(path), problem.1)
            .help("put a readable file of the repository there");
    }
    out
}

/// What the loader says of any text as a profile: the door for a fuzzer.
#[doc(hidden)]
#[must_use]
pub fn profile_diagnostics(text: &str) -> Vec<Diagnostic> {
    let texts = [
        (SETTINGS_FILE, "name: fuzz\nregions: [eu-west-1]\n"),
        ("images/base.yaml", "source: {ssm: /a}\nprofiles: [fuzz]\n"),
        ("profiles/fuzz.yaml", text),
    ];
    let files: BTreeMap<String, Vec<u8>> = texts
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect();
    load(&files).1
}
