//! Owns the order of loading: read every text, check each by itself, then all of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::{Changes, parse_uses};
use super::checks::{Ids, parse_checks};
use super::de::from_node;
use super::files::{Files, Lookup};
use super::image::{Draft, Judged, draft, own_name};
use super::lineage::Sources;
use super::links::Linker;
use super::node::Node;
use super::profiles::{Written, about, flatten, no_profile};
use super::raw::{RawImage, RawOwnWaiver, RawProfile, RawSettings, RawWaivers};
use super::settings::{Known, settings};
use super::source::{Sink, Source, Text};
use super::text::{Checker, shown};
use super::waivers::{WAIVERS_FILE, Waived, own_waivers, waivers};
use super::{Catalog, codes, defaults, schema, secrets, shape, yaml};
use crate::diagnostic::{Diagnostic, Place};

/// The name of the settings' file.
pub const SETTINGS_FILE: &str = "bakeline.yaml";

/// Reads a whole catalog. The catalog is there exactly when there is no error among the findings; there may be warnings
/// beside it. Findings are ordered by file and place.
///
/// The range of a finding with the code [`codes::SECRET`] holds a secret: whoever shows texts must mask it in every
/// snippet, also in those of other findings.
#[must_use]
pub fn load(files: &dyn Files) -> (Option<Catalog>, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let texts = texts(files, &mut sink);
    let source = |file: &str| {
        texts
            .get_key_value(file)
            .map(|(file, text)| Source::new(file, text))
    };

    let (settings, known) = read_settings(source(SETTINGS_FILE), &mut sink);
    let shipped: Vec<String> = files.list("profiles");
    let names: Vec<String> = shipped
        .iter()
        .filter_map(|p| stem(p, "profiles"))
        .map(str::to_owned)
        .collect();
    let profiles = flatten(&profiles(&texts, &mut sink), &names, &mut sink);
    let waivers = read_waivers(source(WAIVERS_FILE), &mut sink);
    let mut named = templates(files, &mut sink);
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
        let image = source(&file)
            .and_then(|s| read_image(s, path, &paths, (&known, files), &mut named, &mut sink));
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
            no_profile(
                &used.name.value,
                draft.origin.place(used.name.span.clone()),
                &names,
                &mut sink,
            );
        }
    }
    let sources = Sources {
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
        sink: &mut sink,
    };
    let images = linker.link();
    let written = waivers
        .iter()
        .chain(drafts.values().flat_map(|d| &d.waivers))
        .map(Waived::written)
        .collect();
    let clean = sink.errors() == 0;
    let catalog = settings.filter(|_| clean).map(|settings| Catalog {
        settings,
        images,
        files: named,
        waivers: written,
    });
    (catalog, sink.finish())
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
fn texts(files: &dyn Files, sink: &mut Sink) -> BTreeMap<String, Text> {
    let mut out = BTreeMap::new();
    for path in files
        .list("images")
        .into_iter()
        .filter(|p| stem(p, "images").is_none())
    {
        let extension = path.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
        let near = matches!(extension.as_deref(), Some("yml" | "yaml"));
        if near {
            sink.error(
                codes::IMAGE_FILE,
                Place::file(path),
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
        if let Some(text) = text(&path, files, sink) {
            out.insert(path, text);
        }
    }
    out
}

fn text(path: &str, files: &dyn Files, sink: &mut Sink) -> Option<Text> {
    let place = || Place::file(path);
    let problem = match files.get(path) {
        Lookup::Found(bytes) if bytes.len() > yaml::MAX_BYTES => "is larger than 1 MiB".to_owned(),
        Lookup::Found(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Some(Text::new(text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                sink.error(
                    codes::ENCODING,
                    Place::of(path, &text, at..at),
                    "the file is not UTF-8",
                )
                .help("save it as UTF-8");
                return None;
            }
        },
        Lookup::Missing if path == SETTINGS_FILE => {
            sink.error(
                codes::MISSING_SETTINGS,
                place(),
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
    sink.error(codes::UNREADABLE, place(), format!("the file {problem}"))
        .help("put a readable YAML text there");
    None
}

/// Parses a text and takes out, with a finding, whatever does not fit its schema.
fn tree(source: Source<'_>, schema: &serde_json::Value, sink: &mut Sink) -> Option<Tree> {
    let mut node = yaml::parse(&source, sink)?;
    secrets::check(&source, &node, sink);
    let keys: Vec<String> = node
        .entries()
        .iter()
        .map(|(key, _)| key.text.clone())
        .collect();
    let usable = shape::fit(schema, &mut node, &source, sink);
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
    source: Source<'_>,
    sink: &mut Sink,
) -> Option<T> {
    from_node(node)
        .map_err(|misfit| {
            let place = source.place(misfit.span.unwrap_or(0..0));
            sink.error(codes::WRONG_TYPE, place, misfit.message);
        })
        .ok()
}

/// Reads `bakeline.yaml` alone: enough for a lookup, and quick.
#[must_use]
pub fn load_settings(files: &dyn Files) -> (Option<super::Settings>, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let text = text(SETTINGS_FILE, files, &mut sink);
    let source = text.as_ref().map(|text| Source::new(SETTINGS_FILE, text));
    let (settings, _) = read_settings(source, &mut sink);
    let settings = settings.filter(|_| sink.errors() == 0);
    (settings, sink.finish())
}

fn read_settings(source: Option<Source<'_>>, sink: &mut Sink) -> (Option<super::Settings>, Known) {
    let read = source.and_then(|source| {
        let Tree { node, .. } = tree(source, &schema::SETTINGS, sink)?;
        let raw = typed::<RawSettings>(&node, source, sink)?;
        Some(settings(raw, &mut Checker { source, sink }))
    });
    let unknown = || Known {
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
    texts: &'a BTreeMap<String, Text>,
    sink: &mut Sink,
) -> BTreeMap<String, Written<'a>> {
    let mut out = BTreeMap::new();
    for (file, text) in texts {
        let Some(name) = stem(file, "profiles") else {
            continue;
        };
        let source = Source::new(file, text);
        let mut c = Checker { source, sink };
        own_name(None, name, &[], &mut c);
        let Some(Tree { mut node, lost }) = tree(source, &schema::PROFILE, c.sink) else {
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
        let mut written = Written::take(source, super::Profile::default(), &mut node, c.sink);
        let Some(raw) = typed::<RawProfile>(&node, source, c.sink) else {
            continue;
        };
        written.about = about(name, &raw, &mut Checker { source, sink });
        out.insert(name.to_owned(), written);
    }
    out
}

/// The waivers of the whole catalog.
fn read_waivers<'a>(source: Option<Source<'a>>, sink: &mut Sink) -> Vec<Waived<'a>> {
    let read = source.and_then(|source| {
        let Tree { node, .. } = tree(source, &schema::WAIVERS, sink)?;
        let raw = typed::<RawWaivers>(&node, source, sink)?;
        Some(waivers(
            raw.waivers.unwrap_or_default(),
            &mut Checker { source, sink },
        ))
    });
    read.unwrap_or_default()
}

/// A draft, and the other name by which the file may be known to others.
type Read<'a> = (Draft<'a>, Option<String>);

fn read_image<'a>(
    source: Source<'a>,
    stem: &str,
    paths: &[String],
    (known, files): (&Known, &dyn Files),
    named: &mut BTreeMap<String, Vec<u8>>,
    sink: &mut Sink,
) -> Option<Read<'a>> {
    let Tree { mut node, lost } = tree(source, &schema::IMAGE, sink)?;
    let (checks, waivers) = (node.take("checks"), node.take("waivers"));
    let profiles = parse_uses(
        node.take("profiles").as_ref(),
        &mut Checker { source, sink },
    );
    let changes = Changes::take(&mut node);
    let raw = typed::<RawImage>(&node, source, sink)?;
    let own: Vec<RawOwnWaiver> = waivers
        .and_then(|node| typed(&node, source, sink))
        .unwrap_or_default();
    let mut c = Checker { source, sink };
    own_name(raw.name.as_ref(), stem, paths, &mut c);
    let alias = raw
        .name
        .as_ref()
        .map(|n| n.value.clone())
        .filter(|n| n != stem);
    let checks = parse_checks(
        checks.as_ref(),
        &Arc::default(),
        &mut Ids::default(),
        &mut c,
    );
    let waivers = own_waivers(own, &mut c);
    let judged = Judged {
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
fn templates(files: &dyn Files, sink: &mut Sink) -> BTreeMap<String, Vec<u8>> {
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
        sink.error(problem.0, Place::file(path), problem.1)
            .help("put a readable file of the repository there");
    }
    out
}

/// What the loader says of any text as a profile: the door for a fuzzer.
#[doc(hidden)]
#[must_use]
pub fn profile_findings(text: &str) -> Vec<Diagnostic> {
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
