//! Tests of variables.

use super::{BASE, SETTINGS, codes_and_positions, load_valid, repository};
use crate::catalog::{Catalog, load};
use crate::model::ImageName;

/// Image with a matrix of two variables.
pub(super) const JDK: &str = "\
matrix: {jdk: [17, 21], release: [12, 13], exclude: [{jdk: 21, release: 12}]}
name: jdk-${jdk}-${release}
parent: base
description: OpenJDK ${jdk}
packages: [\"openjdk-${jdk}-jdk\", \"${extra}\"]
variables: {extra: \"deb${release}-tools\"}
";

pub(super) fn image<'c>(catalog: &'c Catalog, name: &str) -> &'c crate::catalog::Image {
    &catalog.images[&ImageName(name.to_owned())]
}

pub(super) fn package_names(catalog: &Catalog, name: &str) -> Vec<String> {
    match image(catalog, name).provision.as_slice() {
        [crate::provision::Provision::Packages(packages)] => packages.names.clone(),
        other => panic!("{other:?}"),
    }
}

/// Returns the errors of a catalog as `CODE file:line:column message`.
pub(super) fn errors(files: &[(&str, &str)]) -> Vec<String> {
    let (catalog, found) = load(&repository(files));
    assert!(catalog.is_none() || found.is_empty(), "{found:?}");
    codes_and_positions(&found)
        .into_iter()
        .zip(&found)
        .map(|(place, d)| format!("{place} {}", d.message))
        .collect()
}

#[test]
fn recipe_records_used_variables_only() {
    let catalog = load_valid(&[("images/jdk.yaml", JDK)]);
    let variables = &image(&catalog, "jdk-17-12").variables;
    let recorded: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        recorded,
        [("extra", "deb12-tools"), ("jdk", "17"), ("release", "12")]
    );
    let only_described = "parent: base\nvariables: {word: x}\ndescription: \"${word}\"\n";
    let catalog = load_valid(&[("images/a.yaml", only_described)]);
    assert_eq!(image(&catalog, "a").variables.len(), 0);
}

#[test]
fn nearest_definition_of_a_variable_applies() {
    let settings = format!("{SETTINGS}variables: {{a: catalog, b: catalog, c: catalog}}\n");
    let base = format!("{BASE}variables: {{b: base, c: base}}\ntags: {{T: \"${{a}}\"}}\n");
    let child = "parent: base\nvariables: {c: child, all: \"${a} ${b} ${c}\"}\n\
                 tags: {T: \"${all}\"}\n";
    let grandchild = "parent: child\nvariables: {a: leaf}\ntags: {T: \"${all}\"}\n";
    let catalog = load_valid(&[
        ("bakeline.yaml", &settings),
        ("images/base.yaml", &base),
        ("images/child.yaml", child),
        ("images/sub/leaf.yaml", grandchild),
    ]);
    let tag = |name: &str| image(&catalog, name).tags["T"].clone();
    assert_eq!(tag("base"), "catalog");
    assert_eq!(tag("child"), "catalog base child");
    assert_eq!(tag("leaf"), "leaf base child");
}

#[test]
fn whole_values_keep_their_type() {
    let settings = format!(
        "{SETTINGS}variables: {{list: [curl, jq], size: 30, map: {{Team: x, Deep: {{k: v}}}}}}\n"
    );
    let child = "parent: base\npackages: \"${list}\"\ndisk_gib: \"${size}\"\n\
                 tags: {A: \"${map.Team}\", \"K${size}$${x}\": key, B: \"x${map.Deep.k}\", C: \"$${size} ${size}\"}\n";
    let catalog = load_valid(&[("bakeline.yaml", &settings), ("images/a.yaml", child)]);
    let a = image(&catalog, "a");
    assert_eq!(package_names(&catalog, "a"), ["curl", "jq"]);
    assert_eq!(a.volumes[0].size_gib, Some(30));
    let tags: Vec<&str> = a.tags.values().map(String::as_str).collect();
    assert_eq!(tags, ["x", "xv", "${size} 30", "key"]);
    assert!(a.tags.contains_key("K30${x}"), "{:?}", a.tags);
    assert_eq!(a.variables["list"], "[\"curl\",\"jq\"]");
}

#[test]
fn checks_keep_their_own_placeholders() {
    let child = "parent: base\nvariables: {folder: /srv}\nchecks:\n  \
                 - {id: a, for_each: {name: [x, y]}, file: \"${folder}/${name}\"}\n  \
                 - {id: b, command: \"echo $${HOME}\", stdout: {match: x}}\n";
    let catalog = load_valid(&[("images/a.yaml", child)]);
    let text = format!("{:?}", catalog.controls(&ImageName("a".to_owned())));
    assert!(text.contains("/srv/${name}"), "{text}");
    assert!(text.contains("echo ${HOME}"), "{text}");
    let injected = "parent: base\nvariables: {a: \"$${inputs.x}\", b: $inputs.x, c: $, d: \"{inputs.x}\"}\n\
                    checks:\n  - {file: \"${a}\"}\n  - {file: \"${b}\"}\n  - {file: \"${c}${d}\"}\n";
    let expected = "would be read as a placeholder of the check";
    let found = errors(&[("images/a.yaml", injected)]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|e| e.contains(expected)), "{found:?}");
}

#[test]
fn invalid_variables_have_positions() {
    for (settings, child, expected) in [
        (
            "",
            "description: \"${jdc}\"",
            "CAT111 images/a.yaml:2:15 the variable `jdc` does not exist",
        ),
        (
            "",
            "description: \"x ${ \"",
            "CAT110 images/a.yaml:2:17 `${` has no closing `}`",
        ),
        (
            "",
            "description: \"${a-b}\"",
            "CAT110 images/a.yaml:2:15 `a-b` is not the name of a variable",
        ),
        (
            "variables: {x: [y]}",
            "tags: {\"${x}\": y}",
            "CAT114 images/a.yaml:2:8 a key cannot be a list",
        ),
        (
            "variables: {x: y}",
            "tags: {\"${x}\": z, y: z}",
            "CAT011 images/a.yaml:2:19 duplicate key `y`",
        ),
        (
            "variables: {a: x}",
            "",
            "CAT112 bakeline.yaml:3:13 no image uses the variable `a`",
        ),
        (
            "",
            "variables: {a: x}",
            "CAT112 images/a.yaml:2:13 neither this image nor its children use the variable `a`",
        ),
        (
            "variables: {a: \"${b}\", b: \"${a}\"}",
            "description: \"${a}\"",
            "CAT113 bakeline.yaml:3:13 cycle of variables: a -> b -> a",
        ),
        (
            "variables: {a: [x]}",
            "description: \"x${a}\"",
            "CAT114 images/a.yaml:2:16 `a` is a list, which cannot be part of a text",
        ),
        (
            "variables: {a: {k: v}}",
            "description: \"${a.key}\"",
            "CAT111 images/a.yaml:2:15 `a` has no key `key`",
        ),
        (
            "variables: {a: }",
            "",
            "CAT021 bakeline.yaml:3:13 the variable `a` has no value",
        ),
        (
            "variables: {\"1\": x}",
            "",
            "CAT084 bakeline.yaml:3:13 `1` is not a valid name of a variable",
        ),
        (
            "variables: {size: small}",
            "disk_gib: \"${size}\"",
            "CAT021 images/a.yaml:2:11 `disk_gib` must be a whole number, not text",
        ),
    ] {
        let settings = format!("{SETTINGS}{settings}\n");
        let child = format!("parent: base\n{child}\n");
        let found = errors(&[("bakeline.yaml", &settings), ("images/a.yaml", &child)]);
        assert_eq!(found, [expected], "{child}");
    }
}

#[test]
fn wrong_inserted_value_names_the_definition() {
    let settings = format!("{SETTINGS}variables: {{size: small}}\n");
    let child = "parent: base\ndisk_gib: ${size}\n";
    let (_, found) = load(&repository(&[
        ("bakeline.yaml", &settings),
        ("images/a.yaml", child),
    ]));
    let (span, reason) = found[0].related.as_ref().expect("the definition");
    assert_eq!((span.file.as_str(), span.line), ("bakeline.yaml", 3));
    assert_eq!(reason, "`size` is defined here");
}

#[test]
fn variables_of_a_parent_cannot_name_an_image() {
    let base = format!("{BASE}variables: {{v: x}}\ntags: {{T: \"${{v}}\"}}\n");
    let files = [
        ("images/base.yaml", base.as_str()),
        ("images/a.yaml", "parent: \"${v}\"\n"),
    ];
    let (_, found) = load(&repository(&files));
    assert_eq!(codes_and_positions(&found), ["CAT111 images/a.yaml:1:10"]);
    let help = found[0].help.as_deref().unwrap_or_default();
    assert_eq!(
        help,
        "`name`, `parent`, `arch` and `matrix` cannot use variables of a parent"
    );
}

#[test]
fn secrets_in_variables_are_reported() {
    let key = format!("AKIA{}", "IOSFODNN7EXAMPLE");
    let settings = format!("{SETTINGS}variables: {{a: {key}, b: AKIA, c: IOSFODNN7EXAMPLE}}\n");
    let child = "parent: base\ndescription: \"${b}${c}\"\ntags: {T: \"${a}\"}\n";
    let found = errors(&[("bakeline.yaml", &settings), ("images/a.yaml", child)]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|e| e.starts_with("CAT080")), "{found:?}");
}

#[test]
fn value_of_a_variable_selects_a_key() {
    let child = "variables: {names: {x86_64: amd64}, os: {a: {b: deep}}, first: a}\n\
                 parent: base\ndescription: \"${names.${arch}} ${os.${first}.b}\"\n";
    let catalog = load_valid(&[("images/a.yaml", child)]);
    assert_eq!(image(&catalog, "a").description, "amd64 deep");
    let wrong = child.replace("x86_64: amd64", "arm64: arm64");
    assert_eq!(
        errors(&[("images/a.yaml", &wrong)]),
        ["CAT111 images/a.yaml:3:15 `names` has no key `x86_64`"]
    );
}

#[test]
fn template_files_get_all_variables_with_their_types() {
    let settings = format!("{SETTINGS}variables: {{port: 8080, hosts: [a, b]}}\n");
    let child = "parent: base\nvariables: {name: \"x-${port}\"}\n\
                 files:\n  - {source: t.conf, destination: /etc/t, template: true}\n";
    let files = [
        ("bakeline.yaml", settings.as_str()),
        ("images/a.yaml", child),
        (
            "t.conf",
            "{{ name }} {% for h in hosts %}{{ h }}{% endfor %}",
        ),
    ];
    let catalog = load_valid(&files);
    let a = image(&catalog, "a");
    let expected = serde_json::json!({
        "arch": "x86_64", "name": "x-8080", "port": 8080, "hosts": ["a", "b"],
    });
    assert_eq!(serde_json::json!(a.template_variables), expected);
    let recipe = crate::plan::fingerprint::Recipe::from_image(&catalog, a).0;
    let recorded: Vec<&str> = recipe
        .keys()
        .filter_map(|key| key.strip_prefix("variable "))
        .collect();
    assert_eq!(recorded, ["hosts", "name"]);
    let mut without = files;
    without[2].1 = "{{ name }}";
    let found = errors(&without);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("CAT112 bakeline.yaml:3:25"),
        "{found:?}"
    );
}

#[test]
fn name_and_parent_ignore_variables_of_the_parent() {
    let settings = format!("{SETTINGS}variables: {{x: base}}\n");
    let base = format!("{BASE}variables: {{x: other}}\ndescription: \"${{x}}\"\n");
    let catalog = load_valid(&[
        ("bakeline.yaml", &settings),
        ("images/base.yaml", &base),
        ("images/other.yaml", BASE),
        ("images/leaf.yaml", "parent: \"${x}\"\n"),
        (
            "images/m.yaml",
            "parent: base\nmatrix: {j: [1]}\nname: \"m-${x}-${j}\"\ndescription: \"${x}\"\n",
        ),
    ]);
    let parent = image(&catalog, "leaf").parent().map(ImageName::as_str);
    assert_eq!(parent, Some("base"));
    assert_eq!(image(&catalog, "m-base-1").description, "other");
}

#[test]
fn empty_variables_are_allowed_and_hidden_ones_are_not() {
    load_valid(&[("images/a.yaml", "parent: base\nvariables: {}\n")]);
    let hidden = "parent: base\nvariables: {j: 1}\nmatrix: {j: [1]}\nname: \"a-${j}\"\n";
    assert_eq!(
        errors(&[("images/a.yaml", hidden)]),
        ["CAT115 images/a.yaml:2:13 the variable `j` is also in the matrix"]
    );
}

#[test]
fn unquoted_variable_in_a_flow_mapping_gets_a_hint() {
    let image = "parent: base\nvariables: {a: x}\nfiles: [{source: f, destination: /etc/${a}}]\n";
    let files = [
        ("bakeline.yaml", SETTINGS),
        ("images/base.yaml", BASE),
        ("images/app.yaml", image),
    ];
    let (_, found) = load(&repository(&files));
    let hints: Vec<&str> = found.iter().filter_map(|d| d.help.as_deref()).collect();
    assert_eq!(
        hints,
        ["put text with `${NAME}` in quotes inside of `{}` and `[]`"]
    );
}

#[test]
fn template_ignores_unused_variables_that_only_children_complete() {
    let base = "variables: {w1: \"a${w3}\"}\nsource: {owner: amazon, name: \"debian-12-*\"}\n\
                files: [{source: t.conf, destination: /etc/t, template: true}]\n";
    let child = "parent: base\nvariables: {w3: x}\ndescription: \"${w1}\"\n";
    let files = [
        ("images/base.yaml", base),
        ("images/a.yaml", child),
        ("t.conf", "text"),
    ];
    assert_eq!(image(&load_valid(&files), "a").description, "ax");
    let used = [files[0], files[1], ("t.conf", "{{ w1 }}")];
    let found = errors(&used);
    assert!(
        found[0].starts_with("CAT111 images/base.yaml:1"),
        "{found:?}"
    );
}
