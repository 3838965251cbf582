//! Generates the JSON Schema of checks from the list of resources. Editors and the catalog use it.

use std::borrow::Cow;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::exclusion::exclusion_schema;
use crate::matcher::parse::names::{ALIASES, MATCHERS};
use crate::matcher::tree::Tree;
use crate::registry::RESOURCE_TYPES;
use crate::resource_type::{Property, ResourceType, ValueType};

/// Check as written, before it is parsed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenCheck(pub Tree);

impl JsonSchema for WrittenCheck {
    fn schema_name() -> Cow<'static, str> {
        "Check".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        add_definitions(generator);
        let kinds = RESOURCE_TYPES
            .iter()
            .map(|kind| reference(&check_name(kind.name)));
        let groups = ["checks", "any_of", "all_of", "none_of", "manual"]
            .map(|key| reference(&check_name(key)));
        schema(json!({"anyOf": kinds.chain(groups).collect::<Vec<_>>()}))
    }
}

/// Override of an inherited control, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenOverride(pub Tree);

impl JsonSchema for WrittenOverride {
    fn schema_name() -> Cow<'static, str> {
        "Override".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut keys = common_keys();
        for key in ["id", "refs", "for_each", "manual", "if_absent", "within"] {
            keys.remove(key);
        }
        keys.insert(
            "inputs".to_owned(),
            input_values("Values for the inputs of this control."),
        );
        schema(
            json!({"type": "object", "minProperties": 1, "additionalProperties": false, "properties": keys}),
        )
    }
}

/// Use of a profile with values for its inputs, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenUse(pub Tree);

impl JsonSchema for WrittenUse {
    fn schema_name() -> Cow<'static, str> {
        "Use".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = json!({"type": "string", "description": "`NAME` means `profiles/NAME.yaml`."});
        let inputs = input_values("Values for its inputs.");
        schema(json!({"anyOf": [
            {"type": "string", "description": "`NAME` means `profiles/NAME.yaml`."},
            {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {"name": name, "inputs": inputs}},
        ]}))
    }
}

fn input_values(doc: &str) -> Json {
    json!({"type": "object", "minProperties": 1, "additionalProperties": crate::language::input::value_schema(), "description": doc})
}

fn schema(json: Json) -> Schema {
    Schema::try_from(json).unwrap_or_default()
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/definitions/{name}")})
}

/// Returns the schema name of a key: `KernelParameterCheck` for `kernel_parameter`.
fn check_name(name: &str) -> String {
    let capitalize = |part: &str| {
        part.chars()
            .take(1)
            .flat_map(char::to_uppercase)
            .chain(part.chars().skip(1))
            .collect()
    };
    name.split('_')
        .map(capitalize)
        .collect::<Vec<String>>()
        .concat()
        + "Check"
}

fn add_definitions(generator: &mut SchemaGenerator) {
    generator.definitions_mut().extend(DEFINITIONS.clone());
}

/// Definitions of all checks, which several schemas contain.
static DEFINITIONS: LazyLock<Map<String, Json>> = LazyLock::new(definitions);

fn definitions() -> Map<String, Json> {
    let mut all = Map::new();
    let mut nested = Vec::new();
    for kind in RESOURCE_TYPES {
        all.insert(check_name(kind.name), kind_schema(kind, true));
        let inner = check_name(kind.name).replace("Check", "Expectation");
        nested.push(reference(&inner));
        all.insert(inner, kind_schema(kind, false));
    }
    for group in ["any_of", "all_of", "none_of"] {
        let name = check_name(group).replace("Check", "Group");
        nested.push(reference(&name));
        all.insert(name, group_schema(group, Map::new()));
    }
    for group in ["checks", "any_of", "all_of", "none_of"] {
        all.insert(check_name(group), group_schema(group, common_keys()));
    }
    let mut manual = common_keys();
    manual.remove("if_absent");
    all.insert(
        check_name("manual"),
        object_schema("Check that requires a manual review.", manual, "manual"),
    );
    all.insert("Expectation".to_owned(), json!({"anyOf": nested}));
    for (name, scalar) in SCALARS {
        all.insert(
            format!("Expect{name}"),
            matcher_schema(
                &format!("Expect{name}"),
                &serde_json::from_str(scalar).unwrap_or_default(),
            ),
        );
    }
    all
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

/// Returns the schema of a value or a map of matchers.
fn matcher_schema(own: &str, scalar: &Json) -> Json {
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
        // Marks aliases as deprecated, so that editors suggest the current names.
        rule["deprecated"] = json!(true);
        if rule.get("$ref").is_none() {
            rule["description"] = json!(format!("InSpec name of `{name}`."));
        }
        properties.insert((*alias).to_owned(), rule);
    }
    let map = json!({
        "type": "object",
        "description": "Matchers; all must match.",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": properties,
    });
    json!({"anyOf": [scalar, map]})
}

fn property_schema(property: &Property) -> Json {
    let name = match property.of {
        ValueType::Bool => "Bool",
        ValueType::Number => "Number",
        ValueType::Mode => "Mode",
        ValueType::Version => "Version",
        ValueType::Account => "Account",
        ValueType::Text => "Text",
        ValueType::Setting => "Setting",
        ValueType::List | ValueType::Exclusions => "List",
        ValueType::Word(words) => return word_schema(words, property.doc),
    };
    json!({"allOf": [reference(&format!("Expect{name}"))], "description": property.doc})
}

/// Returns a schema that accepts one of the words or a map of matchers.
fn word_schema(words: &[&str], doc: &str) -> Json {
    let word = json!({"enum": words});
    let list = json!({"type": "array", "items": word, "minItems": 1});
    let map = json!({
        "type": "object", "minProperties": 1, "additionalProperties": false,
        "properties": {"eq": word, "in": list, "not": {"anyOf": [word, {"type": "object", "minProperties": 1, "additionalProperties": false, "properties": {"eq": word, "in": list}}]}},
    });
    json!({"anyOf": [word, map], "description": doc})
}

fn kind_schema(kind: &ResourceType, is_check: bool) -> Json {
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
        keys.insert(property.name.to_owned(), property_schema(property));
        for alias in property.aliases {
            let mut rule = property_schema(property);
            rule["description"] = json!(format!("Alias of `{}`.", property.name));
            keys.insert((*alias).to_owned(), rule);
        }
    }
    for parameter in kind.parameters {
        let mut rule = match parameter.of {
            ValueType::Number => json!({"type": "integer"}),
            ValueType::Bool => json!({"type": "boolean"}),
            ValueType::Word(words) => json!({"enum": words}),
            ValueType::Exclusions => {
                json!({"anyOf": [{"type": "string", "pattern": "^\\$"}, {"type": "array", "items": exclusion_schema()}]})
            }
            ValueType::List => {
                json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
            }
            _ => json!({"type": "string"}),
        };
        rule["description"] = json!(parameter.doc);
        keys.insert(parameter.name.to_owned(), rule);
    }
    if is_check {
        keys.append(&mut common_keys());
    } else if let Some(if_absent) = common_keys().remove("if_absent") {
        keys.insert("if_absent".to_owned(), if_absent);
    }
    let mut out = object_schema(kind.doc, keys, kind.name);
    if let Some(property) = &kind.open {
        out["additionalProperties"] = property_schema(property);
    }
    out
}

fn group_schema(key: &str, mut keys: Map<String, Json>) -> Json {
    let doc = match key {
        "any_of" => "At least one expectation must be met.",
        "none_of" => "No expectation may be met.",
        _ => "All expectations must be met.",
    };
    keys.remove("if_absent");
    keys.remove("manual");
    keys.insert(
        key.to_owned(),
        json!({"type": "array", "items": reference("Expectation"), "minItems": 1, "description": doc}),
    );
    object_schema(doc, keys, key)
}

fn object_schema(doc: &str, keys: Map<String, Json>, required: &str) -> Json {
    json!({"type": "object", "description": doc, "properties": keys, "required": [required], "additionalProperties": false})
}

/// Returns the schemas of the keys that checks have in common. Callers remove those that do not
/// apply.
fn common_keys() -> Map<String, Json> {
    let any = json!({"type": ["string", "integer", "number", "boolean"]});
    let text = |doc: &str| json!({"type": "string", "description": doc});
    let json = json!({
        "id": text("ID, unique in the image. Default: derived from the resource."),
        "title": text("Title, one line."),
        "desc": text("Description: the reason for the check and how to fix a failure."),
        "impact": {"type": "number", "minimum": 0.0, "maximum": 1.0, "description": "Severity of a failure, from 0.0 to 1.0. Default: 0.5."},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Labels, such as the numbers of the control in standards."},
        "refs": {"type": "array", "items": {"type": "string"}, "description": "Links to further documentation."},
        "phase": {"type": "array", "items": {"enum": ["build", "boot"]}, "description": "Phases: build (inside the Packer build), boot (on an instance of the finished AMI)."},
        "within": {"type": "string", "pattern": "^([0-9]+[smh])+$", "description": "Time within which the check must pass, such as 60s. It is tried again until then, in phase boot only."},
        "when": text("Condition for judging the check, such as `os.name == \"debian\" and package(\"auditd\").installed`."),
        "for_each": {"type": "object", "minProperties": 1, "additionalProperties": {"anyOf": [{"type": "array", "items": any}, {"type": "string"}]}, "description": "Loop variables with their values. Use a variable as `${name}`."},
        "manual": text("Reason for a manual review. The check is always skipped."),
        "if_absent": {"enum": ["fail", "skip", "pass"], "description": "Result if the resource does not exist. Default: fail."},
    });
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}
