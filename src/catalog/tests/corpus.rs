//! Owns the corpus of awkward texts: each is put into every text field of the schemas and is kept or refused in span.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{SETTINGS, repository};
use crate::catalog::{load, schema};

const AWKWARD: &[&str] = &[
    "${file(\"/etc/passwd\")}",
    "%{ if true }",
    "{{env `HOME`}}",
    "it's \"quoted\"",
    "$(id)",
    "`id`",
    "a\nb",
    "a\u{0}b",
    "<!channel>",
    "</script>",
    "\u{202e}cba",
    "--help",
    "a\\b",
    "; rm -rf /",
    "../../etc/passwd",
];

/// Every span of a text in a schema, as JSON built around a marker.
fn fields<'s>(root: &'s Json, schema: &'s Json, wrap: &dyn Fn(Json) -> Json, out: &mut Seen<'s>) {
    if let Some(name) = schema.get("$ref").and_then(Json::as_str) {
        let target = root
            .pointer(name.trim_start_matches('#'))
            .expect("a definition");
        // A schema may contain itself: what hangs below a definition is tried once, its bare value everywhere.
        if out.definitions.insert(name) {
            return fields(root, target, wrap, out);
        }
        let options = target
            .get("anyOf")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        if options
            .chain([target])
            .any(|o| o.get("type").is_some_and(|t| t == "string"))
        {
            out.fields.push(wrap(Json::String(MARK.to_owned())));
        }
        return;
    }
    for option in ["allOf", "anyOf", "oneOf"]
        .iter()
        .filter_map(|w| schema.get(w)?.as_array())
        .flatten()
    {
        if option.get("required").is_none() || option.get("properties").is_some() {
            fields(root, option, wrap, out);
        }
    }
    for (key, value) in schema
        .get("properties")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        let siblings = siblings(schema, key);
        let wrap_key = |inner: Json| {
            let mut map = siblings.clone();
            map.insert(key.clone(), inner);
            wrap(Json::Object(map))
        };
        fields(root, value, &wrap_key, out);
    }
    if let Some(value) = schema.get("additionalProperties").filter(|v| v.is_object()) {
        fields(
            root,
            value,
            &|inner| wrap(serde_json::json!({ "team": inner })),
            out,
        );
        if schema.get("properties").is_none() {
            out.fields.push(wrap(serde_json::json!({ MARK: "value" })));
        }
    }
    if let Some(items) = schema.get("items") {
        fields(root, items, &|inner| wrap(Json::Array(vec![inner])), out);
    }
    if schema.get("type").is_some_and(|t| t == "string") {
        out.fields.push(wrap(Json::String(MARK.to_owned())));
    }
}

/// The fields that were found, and the definitions that were looked into.
#[derive(Default)]
struct Seen<'s> {
    fields: Vec<Json>,
    definitions: std::collections::BTreeSet<&'s str>,
}

const MARK: &str = "MARK";

/// What a field's neighbours need to be for the map to be complete.
fn siblings(schema: &Json, but: &str) -> serde_json::Map<String, Json> {
    let sound = [
        ("name", "acme"),
        ("source", "files/motd"),
        ("destination", "/etc/motd"),
        ("webhook_env", "SLACK_URL"),
        ("bucket", "my-bucket"),
        ("playbook", "ansible/site.yaml"),
        ("manifest", "puppet/site.pp"),
        ("owner", "amazon"),
        ("path", "/etc/motd"),
        ("file", "/etc/motd"),
        ("package", "nginx"),
        ("service", "nginx"),
        ("command", "true"),
        ("manual", "look"),
    ];
    let has = |key: &str| schema["properties"].get(key).is_some();
    let required: Vec<&str> = match schema.get("required").and_then(Json::as_array) {
        Some(list) => list.iter().filter_map(Json::as_str).collect(),
        None if has("ssm") && but != "ssm" => vec!["owner", "name"],
        None => vec![],
    };
    let list = |key: &str| match key {
        "regions" => Some(serde_json::json!(["eu-west-1"])),
        "checks"
            if schema["properties"].get("title").is_none()
                || schema["properties"]
                    .get("checks")
                    .is_some_and(|c| c.get("minItems").is_none()) =>
        {
            Some(serde_json::json!([]))
        }
        "checks" | "any_of" | "all_of" | "none_of" => {
            Some(serde_json::json!([{"file": "/etc/motd"}]))
        }
        _ => None,
    };
    let text = |key: &str| {
        sound
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, v)| Json::from(*v))
    };
    required
        .into_iter()
        .filter(|k| *k != but)
        .map(|k| {
            (
                k.to_owned(),
                list(k).or_else(|| text(k)).unwrap_or_default(),
            )
        })
        .collect()
}

/// A text as a double-quoted YAML scalar; JSON's escapes are YAML's.
fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

#[test]
fn awkward_texts_are_kept_as_they_are_or_refused_in_place() {
    let mut seen = 0;
    for (file, schema) in [
        ("bakeline.yaml", &*schema::SETTINGS),
        ("images/base.yaml", &*schema::IMAGE),
        ("profiles/web.yaml", &*schema::PROFILE),
    ] {
        let mut all = Seen::default();
        fields(schema, schema, &|inner| inner, &mut all);
        for field in &all.fields {
            for awkward in AWKWARD {
                seen += 1;
                one(file, field, awkward);
            }
        }
    }
    assert!(
        seen > 30 * AWKWARD.len(),
        "{seen} cases: the schemas' fields were not found"
    );
}

fn one(file: &str, field: &Json, awkward: &str) {
    let mut field = field.clone();
    let top = field.as_object_mut().expect("a file is a map");
    if file.starts_with("images") && !top.contains_key("source") && !top.contains_key("parent") {
        top.insert("source".to_owned(), serde_json::json!({"ssm": "/a"}));
    }
    if file.starts_with("profiles") && !top.contains_key("checks") {
        top.insert("checks".to_owned(), serde_json::json!([]));
    }
    let text = format!(
        "{}\n",
        field
            .to_string()
            .replace(&format!("\"{MARK}\""), &quoted(awkward))
    );
    let at = field
        .to_string()
        .find(&format!("\"{MARK}\""))
        .expect("the marker");
    let inside = at..at + quoted(awkward).len();
    let user = ("images/base.yaml", "source: {ssm: /a}\nprofiles: [web]\n");
    let (catalog, found) = load(&repository(&[user, (file, &text)]));
    match catalog {
        Some(catalog) => {
            let kept = format!("{catalog:?}").contains(format!("{awkward:?}").trim_matches('"'));
            // A profile's title is for its readers alone, and an input that no check names is for nobody.
            let unread = ["title", "inputs", "override", "disable", "extends"]
                .iter()
                .any(|key| text.contains(&format!("\"{key}\"")));
            assert!(kept || unread, "{text} was accepted but not kept");
            assert!(
                !awkward.contains("{{") || text.contains("\"checks\""),
                "{text} was accepted"
            );
            assert!(!awkward.contains('\0'), "{text} was accepted");
        }
        None => {
            // A check's problem is about a property, whose value may hold the text deep inside.
            let checks = [
                "checks\":[{",
                "controls\":[{",
                "inputs\":{",
                "override\":{",
                "disable\":{",
                "waivers\":[{",
                "profiles\":[{",
            ]
            .iter()
            .any(|key| text.contains(&format!("\"{key}")));
            let there = found
                .iter()
                .any(|d| d.span.file == file && (inside.contains(&d.span.range.start) || checks));
            assert!(there, "{text} was refused elsewhere: {found:#?}");
        }
    }
}

/// A copy of `json` for each map in it, with an unknown key in that map; a user's own keys are none.
fn with_unknown_keys(json: &Json) -> Vec<Json> {
    let mut out = Vec::new();
    match json {
        Json::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| {
                !matches!(
                    key.as_str(),
                    "tags" | "vars" | "facts" | "checks" | "inputs" | "override" | "disable"
                )
            }) {
                for inner in with_unknown_keys(value) {
                    out.push(Json::Object(
                        map.iter()
                            .map(|(k, v)| {
                                (k.clone(), if k == key { inner.clone() } else { v.clone() })
                            })
                            .collect(),
                    ));
                }
            }
            let mut own = map.clone();
            own.insert("zzzzzzzz".to_owned(), Json::from("x"));
            out.push(Json::Object(own));
        }
        Json::Array(items) => out.extend(
            items
                .iter()
                .flat_map(with_unknown_keys)
                .map(|inner| Json::Array(vec![inner])),
        ),
        _ => {}
    }
    out
}

#[test]
fn a_key_that_the_schema_does_not_have_is_refused_on_every_level() {
    for (file, schema) in [
        ("bakeline.yaml", &*schema::SETTINGS),
        ("images/base.yaml", &*schema::IMAGE),
    ] {
        let mut all = Seen::default();
        fields(schema, schema, &|inner| inner, &mut all);
        for json in all.fields.iter().flat_map(with_unknown_keys) {
            let text = format!("{json}\n");
            let at = text.find("\"zzzzzzzz").expect("the key");
            let (_, found) = load(&repository(&[(file, &text)]));
            let there = |code: &str| {
                found
                    .iter()
                    .any(|d| d.code == code && d.span.range.start == at)
            };
            assert!(there("CAT020") || there("CAT021"), "{text}{found:#?}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_loaded_or_refused_without_a_panic(
        settings in prop::collection::vec(any::<u8>(), 0..200),
        image in "\\PC{0,200}",
        yaml in "([a-z]{1,6}|&a|\\*a|!x|\\||>|-|\\?|:|\\{|\\}|\\[|\\]|,|\"|'|#|%|\t|\n|\n  |\r| |é|\u{1f600}|0644|\\\\x00|<<){0,60}",
    ) {
        let mut files = repository(&[("images/a.yaml", &image), ("images/b.yaml", &yaml), ("profiles/p.yaml", &yaml)]);
        files.insert("bakeline.yaml".to_owned(), settings);
        let (catalog, found) = load(&files);
        prop_assert!(catalog.is_some() != found.iter().any(|d| d.severity == crate::diagnostic::Severity::Error));
        files.insert("bakeline.yaml".to_owned(), format!("{SETTINGS}{yaml}").into_bytes());
        drop(load(&files));
    }

    #[test]
    fn a_place_is_always_inside_its_text(key in "[a-z_]{1,12}", value in "[ -~é😀]{0,30}", more in "[a-z: \n]{0,40}") {
        let text = format!("source: {{ssm: /a}}\n{key}: {value}\n{more}");
        let (_, found) = load(&repository(&[("images/base.yaml", &text)]));
        for d in found.iter().filter(|d| d.span.file == "images/base.yaml") {
            prop_assert!(text.get(d.span.range.clone()).is_some(), "{:?}", d);
        }
    }
}
