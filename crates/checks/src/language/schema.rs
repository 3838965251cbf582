//! Owns the JSON Schema of a check, made of the table of resources: for editors, and for the catalog's own look at keys
//! and types.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::kind::{Kind, Of, Property};
use crate::matcher::tree::Tree;
use crate::matcher::wording::{ALIASES, MATCHERS};
use crate::registry::KINDS;

/// A check as it is written, not yet looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenCheck(pub Tree);

impl JsonSchema for WrittenCheck {
    fn schema_name() -> Cow<'static, str> {
        "Check".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        define(generator);
        let kinds = KINDS.iter().map(|kind| reference(&title(kind.name)));
        let groups =
            ["checks", "any_of", "all_of", "none_of", "manual"].map(|key| reference(&title(key)));
        schema(json!({"anyOf": kinds.chain(groups).collect::<Vec<_>>()}))
    }
}

/// A change of a control that a profile or an image has from another, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenOverride(pub Tree);

impl JsonSchema for WrittenOverride {
    fn schema_name() -> Cow<'static, str> {
        "Override".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut keys = common();
        for key in ["id", "refs", "for_each", "manual", "if_absent"] {
            keys.remove(key);
        }
        keys.insert(
            "inputs".to_owned(),
            given_inputs("Other values of the inputs that the control names."),
        );
        schema(
            json!({"type": "object", "minProperties": 1, "additionalProperties": false, "properties": keys}),
        )
    }
}

/// A profile that an image or another profile names, perhaps with values for its inputs, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenUse(pub Tree);

impl JsonSchema for WrittenUse {
    fn schema_name() -> Cow<'static, str> {
        "Use".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = json!({"type": "string", "description": "`NAME` means `profiles/NAME.yaml`."});
        let inputs = given_inputs("Values for its inputs.");
        schema(json!({"anyOf": [
            {"type": "string", "description": "`NAME` means `profiles/NAME.yaml`."},
            {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {"name": name, "inputs": inputs}},
        ]}))
    }
}

fn given_inputs(doc: &str) -> Json {
    json!({"type": "object", "minProperties": 1, "additionalProperties": crate::language::input::given_schema(), "description": doc})
}

fn schema(json: Json) -> Schema {
    Schema::try_from(json).unwrap_or_default()
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/definitions/{name}")})
}

/// `kernel_parameter` is `KernelParameterCheck`.
fn title(name: &str) -> String {
    let capital = |part: &str| {
        part.chars()
            .take(1)
            .flat_map(char::to_uppercase)
            .chain(part.chars().skip(1))
            .collect()
    };
    name.split('_')
        .map(capital)
        .collect::<Vec<String>>()
        .concat()
        + "Check"
}

fn define(generator: &mut SchemaGenerator) {
    let all = generator.definitions_mut();
    let mut nested = Vec::new();
    for kind in KINDS {
        all.insert(title(kind.name), of_kind(kind, true));
        let inner = title(kind.name).replace("Check", "Expectation");
        nested.push(reference(&inner));
        all.insert(inner, of_kind(kind, false));
    }
    for group in ["any_of", "all_of", "none_of"] {
        let name = title(group).replace("Check", "Group");
        nested.push(reference(&name));
        all.insert(name, group_of(group, Map::new()));
    }
    for group in ["checks", "any_of", "all_of", "none_of"] {
        all.insert(title(group), group_of(group, common()));
    }
    let mut manual = common();
    manual.remove("if_absent");
    all.insert(
        title("manual"),
        object("A check that a person has to make.", manual, "manual"),
    );
    all.insert("Expectation".to_owned(), json!({"anyOf": nested}));
    for (name, scalar) in SCALARS {
        all.insert(
            format!("Expect{name}"),
            matcher(
                &format!("Expect{name}"),
                &serde_json::from_str(scalar).unwrap_or_default(),
            ),
        );
    }
}

const SCALARS: &[(&str, &str)] = &[
    (
        "Bool",
        r#"{"type": ["boolean", "string"], "pattern": "^\\$"}"#,
    ),
    (
        "Number",
        r#"{"type": ["integer", "string"], "pattern": "^\\$"}"#,
    ),
    (
        "Mode",
        r#"{"type": "string", "pattern": "^([0-7]{3,4}|\\$.*)$"}"#,
    ),
    ("Version", r#"{"type": "string"}"#),
    ("Account", r#"{"type": ["string", "integer"]}"#),
    ("Text", r#"{"type": "string"}"#),
    (
        "Setting",
        r#"{"type": ["string", "integer", "number", "boolean"]}"#,
    ),
    ("List", r#"{"type": "string"}"#),
];

/// A bare value, or a map of matchers.
fn matcher(own: &str, scalar: &Json) -> Json {
    let list = json!({"type": "array", "items": scalar, "minItems": 1});
    let open = json!({"anyOf": [list, {"type": "string"}]});
    let nested = reference(own);
    let rules = |name: &str| match name {
        "eq" => scalar.clone(),
        "cmp" => json!({"type": ["string", "integer", "number", "boolean"]}),
        "not" => nested.clone(),
        "and" | "or" => json!({"type": "array", "items": nested, "minItems": 1}),
        "absent" | "empty" | "duplicates" => json!({"type": "boolean"}),
        "in" | "subset_of" | "superset_of" | "same_set" | "disjoint" => open.clone(),
        "at_most" | "at_least" => scalar.clone(),
        "lines_include" => {
            json!({"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string"}]})
        }
        "between" => json!({"type": "array", "items": scalar, "minItems": 2, "maxItems": 2}),
        "version" => reference("ExpectVersion"),
        "duration" => reference("ExpectSetting"),
        "json" => {
            json!({"type": "object", "minProperties": 1, "additionalProperties": reference("ExpectSetting")})
        }
        "count" => reference("ExpectNumber"),
        "each" | "any" | "none" => reference("ExpectSetting"),
        _ => json!({"type": "string"}),
    };
    let mut properties: Map<String, Json> = MATCHERS
        .iter()
        .map(|(name, doc)| {
            let mut rule = rules(name);
            if rule.get("$ref").is_none() {
                rule["description"] = json!(doc);
            }
            ((*name).to_owned(), rule)
        })
        .collect();
    for (alias, name) in ALIASES {
        let mut rule = rules(name);
        // Helps and messages name our own words only.
        rule["deprecated"] = json!(true);
        if rule.get("$ref").is_none() {
            rule["description"] = json!(format!("InSpec's word; see `{name}`."));
        }
        properties.insert((*alias).to_owned(), rule);
    }
    let map = json!({
        "type": "object",
        "description": "matchers, all of which hold",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": properties,
    });
    json!({"anyOf": [scalar, map]})
}

fn of_property(property: &Property) -> Json {
    let name = match property.of {
        Of::Bool => "Bool",
        Of::Number => "Number",
        Of::Mode => "Mode",
        Of::Version => "Version",
        Of::Account => "Account",
        Of::Text => "Text",
        Of::Setting => "Setting",
        Of::List => "List",
        Of::Word(words) => return matcher_of_words(words, property.doc),
    };
    json!({"allOf": [reference(&format!("Expect{name}"))], "description": property.doc})
}

/// A word, or a map of the matchers that words have.
fn matcher_of_words(words: &[&str], doc: &str) -> Json {
    let word = json!({"enum": words});
    let list = json!({"type": "array", "items": word, "minItems": 1});
    let map = json!({
        "type": "object", "minProperties": 1, "additionalProperties": false,
        "properties": {"eq": word, "in": list, "not": {"anyOf": [word, {"type": "object", "minProperties": 1, "additionalProperties": false, "properties": {"eq": word, "in": list}}]}},
    });
    json!({"anyOf": [word, map], "description": doc})
}

fn of_kind(kind: &Kind, whole: bool) -> Json {
    let mut keys = Map::new();
    let mut subject = json!({"type": "string", "description": kind.subject.doc});
    if kind.subject.name == "number" {
        subject["type"] = json!(["string", "integer"]);
    }
    if !kind.subject.words.is_empty() {
        subject = json!({"enum": kind.subject.words, "description": kind.subject.doc});
    }
    keys.insert(kind.name.to_owned(), subject);
    for property in kind.properties {
        keys.insert(property.name.to_owned(), of_property(property));
        for alias in property.aliases {
            let mut rule = of_property(property);
            rule["description"] = json!(format!("The same as `{}`.", property.name));
            keys.insert((*alias).to_owned(), rule);
        }
    }
    for parameter in kind.parameters {
        let mut rule = match parameter.of {
            Of::Number => json!({"type": "integer"}),
            Of::Bool => json!({"type": "boolean"}),
            Of::Word(words) => json!({"enum": words}),
            Of::List => {
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
            }
            _ => json!({"type": "string"}),
        };
        rule["description"] = json!(parameter.doc);
        keys.insert(parameter.name.to_owned(), rule);
    }
    if whole {
        keys.append(&mut common());
    } else if let Some(if_absent) = common().remove("if_absent") {
        keys.insert("if_absent".to_owned(), if_absent);
    }
    let mut out = object(kind.doc, keys, kind.name);
    if let Some(property) = &kind.open {
        out["additionalProperties"] = of_property(property);
    }
    out
}

fn group_of(key: &str, mut keys: Map<String, Json>) -> Json {
    let doc = match key {
        "any_of" => "At least one of several expectations holds.",
        "none_of" => "None of several expectations holds.",
        _ => "All of several expectations hold.",
    };
    keys.remove("if_absent");
    keys.remove("manual");
    keys.insert(
        key.to_owned(),
        json!({"type": "array", "items": reference("Expectation"), "minItems": 1, "description": doc}),
    );
    object(doc, keys, key)
}

fn object(doc: &str, keys: Map<String, Json>, required: &str) -> Json {
    json!({"type": "object", "description": doc, "properties": keys, "required": [required], "additionalProperties": false})
}

/// The keys that any check may carry.
fn common() -> Map<String, Json> {
    let any = json!({"type": ["string", "integer", "number", "boolean"]});
    let text = |doc: &str| json!({"type": "string", "description": doc});
    let json = json!({
        "id": text("A name of its own, unique in the image; by default made of the resource."),
        "title": text("One line for people."),
        "desc": text("More lines for people: why it is expected, and what to do."),
        "impact": {"type": "number", "minimum": 0.0, "maximum": 1.0, "description": "How bad it is when it fails, 0.0 to 1.0; 0.5 by default."},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Labels, such as the numbers that standards give it."},
        "refs": {"type": "array", "items": {"type": "string"}, "description": "Where more is written about it."},
        "phase": {"type": "array", "items": {"enum": ["build", "boot"]}, "description": "When it is judged: build (inside the Packer build), boot (on an instance of the finished image)."},
        "when": text("A condition, such as `os.name == \"debian\" and package(\"auditd\").installed`."),
        "for_each": {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [{"type": "array", "items": any}, {"type": "string"}]}, "description": "Values to judge it for, by the name that `${name}` stands for."},
        "manual": text("Why a person has to make this check: it is never judged."),
        "if_absent": {"enum": ["fail", "skip", "pass"], "description": "What it means that there is nothing to look at; fail by default."},
    });
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}
