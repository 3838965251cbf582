//! Tests of images with their own Packer template.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{render_files, run_values};
use crate::adapters::assets;
use crate::catalog::{Catalog, load};
use crate::diagnostic::Diagnostic;
use crate::model::ImageName;
use crate::plan::fingerprint::Recipe;
use crate::render::packer::{RENDERED, TEMPLATE, files};

const CUSTOM: &str = "templates/packer/custom.pkr.json";
const IMAGE: &str = "source: {owner: amazon, name: x-*}\ntemplate: templates/packer/custom.pkr.json\n\
                     variables: {profile: \"a \\\" b\", cores: 4, zones: [a, b], other: one}\n\
                     description: \"${other}\"\n";

/// Loads a catalog whose image `own` has a template with additional keys of the Packer source.
fn load_catalog(image: &str, keys: &str) -> (Option<Catalog>, Vec<Diagnostic>) {
    let shipped = assets::shipped_paths().into_iter();
    let mut files: BTreeMap<String, Vec<u8>> = shipped
        .filter_map(|path| Some((path.clone(), assets::shipped_file(&path)?.into_owned())))
        .collect();
    let text = String::from_utf8(files[TEMPLATE].clone()).expect("UTF-8");
    let custom = text.replace("\"region\":", &format!("{keys} \"region\":"));
    assert_ne!(text, custom);
    for (path, text) in [
        ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n"),
        ("images/own.yaml", image),
        ("images/kid.yaml", "parent: own\n"),
        (CUSTOM, &custom),
    ] {
        files.insert(path.to_owned(), text.as_bytes().to_vec());
    }
    load(&files)
}

const KEYS: &str = "\"iam_instance_profile\": @{ variables.profile }@, \
                    \"cores\": @{ variables.cores }@, \"zones\": [@% for zone in variables.zones %@@{ zone }@@% if not loop.last %@, @% endif %@@% endfor %@],";

#[test]
fn own_template_has_the_variables_of_the_image() {
    let (catalog, found) = load_catalog(IMAGE, KEYS);
    let catalog = catalog.unwrap_or_else(|| panic!("{found:?}"));
    let source_of = |name: &str| {
        let rendered = render_files(&catalog, &catalog.images[&ImageName::from(name)]);
        let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
        packer["source"]["amazon-ebs"][name].clone()
    };
    let own = source_of("own");
    assert_eq!(own["iam_instance_profile"], "a \" b");
    assert_eq!(
        (&own["cores"], &own["zones"]),
        (&json!(4), &json!(["a", "b"]))
    );
    assert_eq!(source_of("kid").get("cores"), None);
    let recipe = Recipe::from_image(&catalog, &catalog.images[&ImageName::from("own")]).0;
    let variables: Vec<&str> = recipe
        .keys()
        .filter_map(|key| key.strip_prefix("variable "))
        .collect();
    assert_eq!(variables, ["cores", "profile", "zones"]);
    assert!(recipe.contains_key(&format!("template {CUSTOM}")));
    assert!(!recipe.contains_key(&format!("template {TEMPLATE}")));
}

#[test]
fn missing_template_has_a_position_and_a_suggestion() {
    let wrong = IMAGE.replace("custom.pkr", "custum.pkr");
    let (_, found) = load_catalog(&wrong, "");
    let error = found.iter().find(|d| d.code == "CAT062").expect("an error");
    assert_eq!((error.span.line, error.span.column), (2, 11));
    let help = format!("did you mean `{CUSTOM}`?");
    assert_eq!(error.help.as_deref(), Some(help.as_str()));
}

#[test]
fn value_that_packer_would_expand_is_named() {
    let braces = IMAGE.replace("a \\\" b", "{{ x }}");
    let (catalog, found) = load_catalog(&braces, KEYS);
    let catalog = catalog.unwrap_or_else(|| panic!("{found:?}"));
    let image = &catalog.images[&ImageName::from("own")];
    let error = files(&catalog, image, &run_values("key")).expect_err("an error");
    assert_eq!(
        error.message,
        "the value \"{{ x }}\" contains `{{`, which Packer would expand"
    );
}

#[test]
fn own_template_must_keep_the_checks() {
    let (catalog, found) = load_catalog(IMAGE, KEYS);
    let mut catalog = catalog.unwrap_or_else(|| panic!("{found:?}"));
    let text = String::from_utf8(catalog.files[CUSTOM].clone()).expect("UTF-8");
    for (part, changed, missing) in [
        ("check-build", "true", "check-build"),
        (
            "\"script\": @{ block.name }@",
            "\"script\": \"mine.sh\"",
            "00-prepare.sh",
        ),
    ] {
        let own = text.replace(part, changed);
        assert_ne!(own, text, "{part}");
        catalog.files.insert(CUSTOM.to_owned(), own.into_bytes());
        let image = &catalog.images[&ImageName::from("own")];
        let error = files(&catalog, image, &run_values("key")).expect_err(part);
        assert!(error.message.contains(missing), "{}", error.message);
    }
}

#[test]
fn errors_of_own_templates_have_positions() {
    for (keys, word) in [
        ("\"x\": @{ variables.nothing }@,", "nothing"),
        ("\"x\": @{ variables.cores | nofilter }@,", "nofilter"),
        ("@% if region %@", "end of input"),
    ] {
        let (catalog, found) = load_catalog(IMAGE, &format!("{KEYS}\n{keys}"));
        let catalog = catalog.unwrap_or_else(|| panic!("{found:?}"));
        let image = &catalog.images[&ImageName::from("own")];
        let error = files(&catalog, image, &run_values("key")).expect_err(keys);
        assert!(error.at.is_some(), "{keys}: {}", error.message);
        assert!(!error.message.contains("-->"), "{}", error.message);
        assert!(error.message.contains(word), "{}", error.message);
    }
}
