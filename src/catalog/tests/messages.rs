//! Tests of messages: all problems are reported, and secrets are not quoted.

use super::{SETTINGS, codes_and_positions, repository};
use crate::catalog::load;

#[test]
fn messages_name_cycles_and_similar_words() {
    let files = repository(&[
        ("images/a.yaml", "parent: b\n"),
        ("images/b.yaml", "parent: a\n"),
        ("images/c.yaml", "parent: bsae\npackges: []\n"),
    ]);
    let found = load(&files).1;
    assert_eq!(found[0].message, "cycle of parents: a -> b -> a");
    assert_eq!(
        found[0].related.as_ref().map(|(p, _)| p.file.as_str()),
        Some("images/b.yaml")
    );
    assert_eq!(found[1].help.as_deref(), Some("did you mean `base`?"));
    assert_eq!(found[2].help.as_deref(), Some("did you mean `packages`?"));
    let quoted = load(&repository(&[(
        "images/base.yaml",
        "source: {ssm: /a}\nfiles: [{source: files/motd, destination: /a, mode: 0644}]\n",
    )]))
    .1;
    assert_eq!(quoted[0].help.as_deref(), Some("quote it: \"0644\""));
}

#[test]
fn problems_of_all_files_are_reported() {
    let (_, found) = load(&repository(&[
        ("bakeline.yaml", "nam: acme\nregions: [mars]\n"),
        (
            "images/base.yaml",
            "source: {ssm: a}\npackages: [-y]\nfoo: 1\n",
        ),
        ("images/broken.yaml", "a: [\n"),
        (
            "images/kid.yaml",
            "parent: broken\nscripts: [nothing]\ndisk_gib: x\n",
        ),
        ("profiles/web.yaml", "checks: 1\n"),
    ]));
    let expected = [
        "CAT020 bakeline.yaml:1:1",
        "CAT090 bakeline.yaml:2:11",
        "CAT090 images/base.yaml:1:15",
        "CAT067 images/base.yaml:2:12",
        "CAT020 images/base.yaml:3:1",
        "CAT004 images/broken.yaml:1:4",
        "CAT062 images/kid.yaml:2:11",
        "CAT021 images/kid.yaml:3:11",
        "CAT021 profiles/web.yaml:1:9",
    ];
    assert_eq!(codes_and_positions(&found), expected);
}

#[test]
fn open_address_range_is_a_warning() {
    for (range, messages) in [
        ("10.0.0.0/8", &[][..]),
        ("\"fc00::/7\"", &[]),
        ("0.0.0.0/0", &["`0.0.0.0/0` allows the whole IPv4 internet"]),
        ("\"::/0\"", &["`::/0` allows the whole IPv6 internet"]),
        (
            "2.0.0.0/7",
            &["`2.0.0.0/7` contains public addresses and is wider than /8"],
        ),
        (
            "\"2a00::/12\"",
            &["`2a00::/12` contains public addresses and is wider than /16"],
        ),
    ] {
        let text = format!("{SETTINGS}builder: {{access: {{cidrs: [{range}]}}}}\n");
        let (catalog, found) = load(&repository(&[("bakeline.yaml", &text)]));
        let texts: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(texts, messages, "{range}");
        assert!(catalog.is_some(), "{range}");
        let positions = codes_and_positions(&found);
        assert!(
            positions.iter().all(|p| p == "CAT091 bakeline.yaml:3:28"),
            "{positions:?}"
        );
    }
}

#[test]
fn secrets_are_found_and_never_quoted() {
    let token = ["xoxb", "-123456789012-abcdefgh"].concat();
    for (file, text, column) in [
        (
            "images/base.yaml",
            format!("source: {{ssm: /a}}\ndescription: {token}\n"),
            14,
        ),
        (
            "images/base.yaml",
            format!("source: {{ssm: /a}}\npackages: [{token}]\n"),
            12,
        ),
        (
            "images/base.yaml",
            format!("source: {{ssm: /a}}\nnonsense: {token}\n"),
            11,
        ),
        (
            "images/base.yaml",
            format!("source: {{ssm: /a}}\n{token}: 1\n"),
            1,
        ),
        (
            "images/base.yaml",
            format!("source: {{ssm: /a}}\nchecks: [{{a: {{b: \"{token}\"}}}}]\n"),
            18,
        ),
        ("profiles/web.yaml", format!("checks:\n  - a: {token}\n"), 8),
        (
            "bakeline.yaml",
            format!("name: acme\ndefault_environment: {token}\nregions: [eu-west-1]\n"),
            22,
        ),
    ] {
        let found = load(&repository(&[(file, &text)])).1;
        let secret: Vec<String> = codes_and_positions(&found)
            .into_iter()
            .filter(|p| p.starts_with("CAT080"))
            .collect();
        assert_eq!(secret, [format!("CAT080 {file}:2:{column}")], "{text}");
        let text = format!("{found:?}");
        assert!(!text.contains("123456789012"), "{text}");
    }
}
