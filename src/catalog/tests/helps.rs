//! Tests of the helps for typical mistakes of a first catalog.

use super::{BASE, load_valid, repository};
use crate::catalog::load;

/// Returns the message and help of the only diagnostic of an image file.
fn message_and_help(image: &str) -> (String, String) {
    let (_, found) = load(&repository(&[("images/a.yaml", image)]));
    assert_eq!(found.len(), 1, "{image}: {found:#?}");
    let help = found[0].help.clone().unwrap_or_default();
    (found[0].message.clone(), help)
}

/// Returns the help of the only diagnostic of an image file.
fn help(image: &str) -> String {
    message_and_help(image).1
}

#[test]
fn number_without_unit_gets_a_duration() {
    for (image, expected) in [
        ("parent: base\nboot_wait: 30\n", "add a unit: `30s`"),
        (
            "parent: base\nscripts: [{path: files/deep/run.sh, timeout: 10}]\n",
            "add a unit: `10s`",
        ),
        (
            "parent: base\nchecks: [{file: /a, within: 30}]\n",
            "add a unit: `30s`",
        ),
        ("parent: base\nmax_age: 7\n", "add a unit: `7d`"),
    ] {
        assert_eq!(help(image), expected, "{image}");
    }
}

#[test]
fn helps_for_durations_respect_the_limit() {
    assert_eq!(
        help("parent: base\nboot_wait: soon\n"),
        "use a duration of at most `1h`, such as `30s` or `5m`, or `0s` for none"
    );
    let checks = "parent: base\nchecks: [{file: /a, within: 10m}]\n";
    assert_eq!(help(checks), "use at most 300s");
}

#[test]
fn other_names_of_platforms_and_architectures_are_known() {
    for (line, expected) in [
        ("platform: rocky", "use `rhel` for Rocky Linux"),
        ("platform: centos", "use `rhel` for CentOS Stream"),
        ("platform: alma", "use `rhel` for AlmaLinux"),
        (
            "platform: al2023",
            "use `amazon-linux` for Amazon Linux 2023",
        ),
        (
            "platform: fedora",
            "use `debian`, `ubuntu`, `amazon-linux`, `rhel`",
        ),
        ("arch: aarch64", "use `arm64`"),
        ("arch: amd64", "use `x86_64`"),
    ] {
        assert_eq!(help(&format!("{BASE}{line}\n")), expected, "{line}");
    }
}

#[test]
fn ami_id_as_source_gets_an_example() {
    assert_eq!(
        help("source: ami-0123456789abcdef0\n"),
        "write a map, such as `{owner: \"136693071363\", name: \"debian-12-amd64-*\"}`"
    );
}

#[test]
fn exclusion_needs_path_and_reason_in_one_round() {
    let image =
        "parent: base\nchecks: [{credentials: all, secrets: {empty: true}, exclude: [/etc/x]}]\n";
    assert_eq!(help(image), "write a map, such as `{path: …, reason: …}`");
}

#[test]
fn unknown_parent_never_suggests_the_image_or_its_children() {
    let (_, found) = load(&repository(&[
        (
            "images/jdk.yaml",
            "matrix: {v: [17, 21]}\nname: jdk-${v}\nparent: jdk\n",
        ),
        ("images/jdkk.yaml", "parent: jdk-17\n"),
    ]));
    assert_eq!(found.len(), 1, "{found:#?}");
    let help = found[0].help.as_deref();
    assert_eq!(help, Some("add images/jdk.yaml, or use an existing image"));
}

#[test]
fn instance_type_excludes_instance_types() {
    let both = "builder: {instance_type: t3.small, instance_types: [t4g.small]}\n";
    let (message, help) = message_and_help(&format!("parent: base\n{both}"));
    assert_eq!(
        message,
        "`instance_type` and `instance_types` exclude each other"
    );
    assert_eq!(help, "write `instance_types: [t3.small, t4g.small]`");
    let settings = format!("{}{both}", super::SETTINGS);
    let (_, found) = load(&repository(&[("bakeline.yaml", &settings)]));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].message, message);
}

#[test]
fn nested_variable_gets_a_map_of_the_matrix() {
    let image = "parent: base\nvariables: {a: {x: 1}, b: x}\ndescription: \"${a-${b}}\"\n";
    let (message, help) = message_and_help(image);
    assert_eq!(message, "`${a-${b}}` has a variable inside of a variable");
    assert_eq!(
        help,
        "only a key of a map can be a variable, as in `${MAP.${NAME}}`; or put both values into \
         one map: `matrix: {NAME: [{KEY: VALUE, OTHER: VALUE}]}`"
    );
}

#[test]
fn helps_for_maps_name_their_keys() {
    let image = |axes: &str, name: &str| {
        help(&format!(
            "matrix: {{v: [{{r: 1, n: a}}, {{r: 1, n: b}}]{axes}}}\n{name}parent: base\n"
        ))
    };
    assert_eq!(
        image("", "name: \"x-${v}\"\n"),
        "use one of its values, such as `${v.r}`"
    );
    assert_eq!(
        image(", k: [1, 2]", ""),
        "add a name that differs for each combination, such as `name: NAME-${k}-${v.r}`"
    );
    assert_eq!(
        image(", exclude: [{v: 1}]", "name: \"x-${v.n}\"\n"),
        "use values of the matrix, such as `v: {r: 1, n: a}`, or remove the entry"
    );
    let (message, help) = message_and_help(
        "matrix: {v: [{r: 1, n: a}, {r: 1, n: b}], k: [1]}\nname: x-${v.r}\nparent: base\n",
    );
    assert_eq!(
        message,
        "two combinations have the name `x-1`: k=1 v={r: 1, n: a} and k=1 v={r: 1, n: b}"
    );
    assert_eq!(help, "add `${v.n}` to `name`");
}

#[test]
fn values_of_tags_may_be_numbers() {
    let catalog = load_valid(&[(
        "images/a.yaml",
        "parent: base\nmatrix: {jdk: [17]}\nname: \"a-${jdk}\"\n\
         tags: {Team: 5, Java: \"${jdk}\", Public: true}\n",
    )]);
    let image = super::variables::image(&catalog, "a-17");
    let tags: Vec<&str> = image.tags.values().map(String::as_str).collect();
    assert_eq!(tags, ["17", "true", "5"]);
    assert_eq!(
        help("parent: base\ntags: {Version: 1.10}\n"),
        "quote it: \"1.10\""
    );
}

#[test]
fn help_for_a_secret_names_a_place_for_it() {
    let webhook = format!("https://hooks.slack{}", ".com/services/T0/B0/x");
    let image = format!("parent: base\ndescription: {webhook}\n");
    assert_eq!(
        help(&image),
        "revoke it and remove it here and from the Git history; store the URL in an environment \
         variable, and set its name in `notifiers`"
    );
    let key = format!("AKIA{}", "IOSFODNN7EXAMPLE");
    let image =
        format!("parent: base\nscripts: [{{path: files/deep/run.sh, env: {{K: {key}}}}}]\n");
    let (_, found) = load(&repository(&[("images/a.yaml", &image)]));
    assert_eq!(
        found[0].help.as_deref(),
        Some(
            "revoke it and remove it here and from the Git history; let instances read secrets \
             when they start, for example from AWS Secrets Manager"
        )
    );
}
