//! `bakeline validate`: every finding at once, templates, and waivers that have expired.

use serde_json::json;

use super::House;

#[test]
fn validate_answers_with_every_finding() {
    let house = House::new();
    let good = house.run(&["validate"]);
    assert_eq!(
        (good.code, good.out.as_str(), good.err.as_str()),
        (0, "", "acme: 2 images, all valid\n")
    );
    assert_eq!(house.run(&["validate", "--json"]).json(), json!([]));
    house.write("images/jdk.yaml", "parent: bse\npackges: [jdk]\n");
    let bad = house.run(&["validate", "--json"]);
    assert_eq!(bad.code, 1);
    let found = bad.json();
    let at = |i: usize| {
        (
            found[i]["place"]["file"].clone(),
            found[i]["place"]["line"].clone(),
        )
    };
    assert_eq!(
        (at(0), at(1)),
        (
            (json!("images/jdk.yaml"), json!(1)),
            (json!("images/jdk.yaml"), json!(2))
        ),
        "{found:#}"
    );
    house.run(&["validate"]).refuses(
        1,
        &["images/jdk.yaml:1:", "`base`", "`packages`", "2 errors"],
    );
    house
        .run(&["-C", "images", "validate"])
        .refuses(1, &["bakeline.yaml"]);
    house
        .run(&["-C", "nowhere", "validate"])
        .refuses(1, &["nowhere"]);
}

#[test]
fn validate_warns_of_a_waiver_that_has_expired() {
    let house = House::new();
    let waiver = |expires: &str| {
        format!(
            "waivers:\n- {{control: \"file:/a\", justification: mended soon, owner: web team, expires: {expires}}}\n"
        )
    };
    let image = |expires: &str| {
        format!(
            "source: {{ssm: /a}}\nchecks: [{{file: /a}}]\n{}",
            waiver(expires)
        )
    };
    house.write("images/web.yaml", &image("2021-02-28"));
    let answer = house.run(&["validate"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    for word in [
        "CAT104",
        "images/web.yaml:4:",
        "expired on 2021-02-28",
        "web team",
    ] {
        assert!(answer.err.contains(word), "{word}: {}", answer.err);
    }
    house.write("images/web.yaml", &image("9021-02-28"));
    assert!(!house.run(&["validate"]).err.contains("CAT104"));
}

#[test]
fn a_template_that_does_not_render_is_found_by_validate_and_by_plan() {
    let house = House::new();
    house.write(
        "templates/provision/debian/cleanup.sh",
        "echo @{ imgae }@\n",
    );
    house.run(&["validate"]).refuses(
        1,
        &[
            "TPL001",
            "templates/provision/debian/cleanup.sh",
            "did you mean `image`?",
        ],
    );
    let inventory = house.inventory(&[]);
    house
        .run(&["plan", "--inventory", inventory])
        .refuses(1, &["imgae"]);
}
