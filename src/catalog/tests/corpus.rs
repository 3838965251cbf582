//! Tests special characters in every text field of the schemas.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{SETTINGS, repository};
use crate::catalog::{load, schema};
use crate::matrix::select_cases;

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

/// Adds each text field of a schema, as JSON around a marker.
fn collect_fields<'s>(
    root: &'s Json,
    schema: &'s Json,
    wrap: &dyn Fn(Json) -> Json,
    out: &mut SchemaFields<'s>,
) {
    if let Some(name) = schema.get("$ref").and_then(Json::as_str) {
        let target = root
            .pointer(name.trim_start_matches('#'))
            .expect("a definition");
        // Schemas can be recursive. Each definition is expanded once.
        if out.definitions.insert(name) {
            return collect_fields(root, target, wrap, out);
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
            collect_fields(root, option, wrap, out);
        }
    }
    for (key, value) in schema
        .get("properties")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        let siblings = complete_siblings(schema, key);
        let wrap_key = |inner: Json| {
            let mut map = siblings.clone();
            map.insert(key.clone(), inner);
            wrap(Json::Object(map))
        };
        collect_fields(root, value, &wrap_key, out);
    }
    if let Some(value) = schema.get("additionalProperties").filter(|v| v.is_object()) {
        collect_fields(
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
        collect_fields(root, items, &|inner| wrap(Json::Array(vec![inner])), out);
    }
    if schema.get("type").is_some_and(|t| t == "string") {
        out.fields.push(wrap(Json::String(MARK.to_owned())));
    }
}

/// Text fields, and the definitions that were expanded.
#[derive(Default)]
struct SchemaFields<'s> {
    fields: Vec<Json>,
    definitions: std::collections::BTreeSet<&'s str>,
}

const MARK: &str = "MARK";

/// Returns the other required keys of a map.
fn complete_siblings(schema: &Json, but: &str) -> serde_json::Map<String, Json> {
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
        if key == "path" && has("reboot") {
            return Some(Json::from("files/deep/run.sh"));
        }
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

/// Quotes a text as a YAML scalar. The escapes of JSON are valid in YAML.
fn quote_yaml(text: &str) -> String {
    Json::from(text).to_string()
}

#[test]
fn special_characters_are_kept_or_rejected() {
    let mut fields = Vec::new();
    for (file, schema) in [
        ("bakeline.yaml", &*schema::SETTINGS),
        ("images/base.yaml", &*schema::IMAGE),
        ("profiles/web.yaml", &*schema::PROFILE),
    ] {
        let mut all = SchemaFields::default();
        collect_fields(schema, schema, &|inner| inner, &mut all);
        fields.extend(all.fields.into_iter().map(|field| (file, field)));
    }
    assert!(
        fields.len() > 30,
        "{} fields: the schemas' fields were not found",
        fields.len()
    );
    // The step and the number of texts have no common divisor, so the sample has each text.
    let cases = fields
        .iter()
        .flat_map(|field| AWKWARD.iter().map(move |awkward| (field, awkward)));
    let test = "special_characters_are_kept_or_rejected";
    for ((file, field), awkward) in select_cases(test, 14, cases) {
        assert_kept_or_rejected(file, field, awkward);
    }
}

fn assert_kept_or_rejected(file: &str, field: &Json, awkward: &str) {
    let mut field = field.clone();
    if let Some(filters) = field.pointer_mut("/source/filters") {
        // EC2 defines the names of filters, except those for tags. Values are lists.
        *filters = match filters.get(MARK) {
            Some(_) => serde_json::json!({ MARK: ["value"] }),
            None => serde_json::json!({ "tag:team": [MARK] }),
        };
    }
    for path in ["/builder/kms_key", "/environments/0/kms_key"] {
        // The keys are Regions of the catalog.
        if let Some(keys) = field.pointer_mut(path)
            && keys.get("team").is_some()
        {
            *keys = serde_json::json!({ "eu-west-1": MARK });
        }
    }
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
            .replace(&format!("\"{MARK}\""), &quote_yaml(awkward))
    );
    let at = field
        .to_string()
        .find(&format!("\"{MARK}\""))
        .expect("the marker");
    let inside = at..at + quote_yaml(awkward).len();
    let user = ("images/base.yaml", "source: {ssm: /a}\nprofiles: [web]\n");
    let (catalog, found) = load(&repository(&[user, (file, &text)]));
    match catalog {
        Some(catalog) => {
            let kept = format!("{catalog:?}").contains(format!("{awkward:?}").trim_matches('"'));
            // Titles and unused inputs are not part of the catalog.
            let unread = ["title", "inputs", "override", "disable", "extends"]
                .iter()
                .any(|key| text.contains(&format!("\"{key}\"")));
            assert!(kept || unread, "{text} was accepted but not kept");
            assert!(
                !awkward.contains("{{")
                    || ["checks", "env", "args"]
                        .iter()
                        .any(|key| text.contains(&format!("\"{key}\""))),
                "{text} was accepted"
            );
            assert!(!awkward.contains('\0'), "{text} was accepted");
        }
        None => {
            // Problems of checks are reported at a property, whose value can contain the text.
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

/// Returns a copy of `json` for each map in it, with an unknown key in that map. Skips maps with
/// user-defined keys.
fn with_unknown_keys(json: &Json) -> Vec<Json> {
    let mut out = Vec::new();
    match json {
        Json::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| {
                !matches!(
                    key.as_str(),
                    "tags"
                        | "vars"
                        | "env"
                        | "facts"
                        | "checks"
                        | "inputs"
                        | "override"
                        | "disable"
                        | "variables"
                        | "matrix"
                        | "filters"
                        | "kms_key"
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
fn unknown_keys_are_rejected_on_every_level() {
    for (file, schema) in [
        ("bakeline.yaml", &*schema::SETTINGS),
        ("images/base.yaml", &*schema::IMAGE),
    ] {
        let mut all = SchemaFields::default();
        collect_fields(schema, schema, &|inner| inner, &mut all);
        // An invalid matrix hides other problems of its file, because it has no images to validate.
        let fields = all
            .fields
            .iter()
            .filter(|json| json.get("matrix").is_none());
        for json in select_cases("unknown keys", 1, fields.flat_map(with_unknown_keys)) {
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
    fn arbitrary_bytes_never_panic(
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
    fn spans_are_inside_their_text(key in "[a-z_]{1,12}", value in "[ -~é😀]{0,30}", more in "[a-z: \n]{0,40}") {
        let text = format!("source: {{ssm: /a}}\n{key}: {value}\n{more}");
        let (_, found) = load(&repository(&[("images/base.yaml", &text)]));
        for d in found.iter().filter(|d| d.span.file == "images/base.yaml") {
            prop_assert!(text.get(d.span.range.clone()).is_some(), "{:?}", d);
        }
    }
}
