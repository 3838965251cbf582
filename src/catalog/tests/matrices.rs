//! Tests of matrices.

use super::variables::{JDK, errors, image, package_names};
use super::{SETTINGS, load_valid};
use crate::model::ImageName;

#[test]
fn matrix_defines_one_image_per_combination() {
    let catalog = load_valid(&[("images/jdk.yaml", JDK)]);
    let names: Vec<&str> = catalog.images.keys().map(ImageName::as_str).collect();
    assert_eq!(names, ["base", "jdk-17-12", "jdk-17-13", "jdk-21-13"]);
    assert_eq!(
        package_names(&catalog, "jdk-21-13"),
        ["openjdk-21-jdk", "deb13-tools"]
    );
    assert_eq!(image(&catalog, "jdk-17-12").description, "OpenJDK 17");
    assert_eq!(image(&catalog, "jdk-17-12").file, "images/jdk.yaml");
}

#[test]
fn invalid_matrices_have_positions() {
    let many = format!(
        "matrix: {{a: [{}]}}\nname: x-${{a}}",
        vec!["1"; 300].join(", ")
    );
    let distinct: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let many_images = format!("matrix: {{a: [{}]}}\nname: x-${{a}}", distinct.join(", "));
    for (head, expected) in [
        (
            "matrix: {a: [1, 2]}\nname: x",
            "CAT115 images/a.yaml:2:7 two combinations have the name `x`: a=1 and a=2",
        ),
        (
            "matrix: {a: [1, 2]}",
            "CAT115 images/a.yaml:1:1 an image file with a matrix needs `name`",
        ),
        (
            "matrix: {a: x}\nname: x-${a}",
            "CAT115 images/a.yaml:1:13 `a` must be a list, not text",
        ),
        (
            "matrix: {a: []}\nname: x-${a}",
            "CAT115 images/a.yaml:1:13 `a` has no values",
        ),
        (
            "matrix: [a]\nname: x",
            "CAT115 images/a.yaml:1:9 `matrix` must be a map, not a list",
        ),
        (
            "matrix: {a: [1], exclude: [{a: 2}]}\nname: x-${a}",
            "CAT115 images/a.yaml:1:28 `exclude` matches no combination",
        ),
        (
            "matrix: {abc: [1], exclude: [{abd: 1}]}\nname: x-${abc}",
            "CAT115 images/a.yaml:1:31 `abd` is not in the matrix",
        ),
        (
            "matrix: {a: [1], b: [1], include: [{a: 2}]}\nname: x-${a}-${b}",
            "CAT115 images/a.yaml:1:36 `include` has no value for `b`",
        ),
        (
            "matrix: {a: [1], exclude: [{a: 1}]}\nname: x-${a}",
            "CAT115 images/a.yaml:1:9 the matrix has no images",
        ),
        (
            &many_images,
            "CAT115 images/a.yaml:1:9 the matrix has more than 256 images",
        ),
        (
            "matrix: {a: [1]}\nname: x",
            "CAT112 images/a.yaml:1:14 no image uses the variable `a` of the matrix",
        ),
    ] {
        let text = format!("{head}\nparent: base\n");
        assert_eq!(errors(&[("images/a.yaml", &text)]), [expected], "{head}");
    }
    let found = errors(&[("images/a.yaml", &format!("{many}\nparent: base\n"))]);
    assert!(
        found.len() == 299 && found[0].contains("duplicate value"),
        "{}",
        found[0]
    );
}

#[test]
fn expansion_has_limits() {
    let mut settings = format!("{SETTINGS}variables:\n  v0: [a, b, c, d, e, f, g, h, i, j]\n");
    for n in 1..20 {
        let before = format!("\"${{v{}}}\"", n - 1);
        settings += &format!("  v{n}: [{}]\n", vec![before; 10].join(", "));
    }
    let files = [
        ("bakeline.yaml", settings.as_str()),
        ("images/a.yaml", "parent: base\npackages: ${v19}\n"),
    ];
    let found = errors(&files);
    assert!(found.iter().all(|e| e.starts_with("CAT009")), "{found:?}");
    let mut settings = format!("{SETTINGS}variables:\n  v0: x\n");
    for n in 1..2000 {
        settings += &format!("  v{n}: \"${{v{}}}\"\n", n - 1);
    }
    let files = [
        ("bakeline.yaml", settings.as_str()),
        ("images/a.yaml", "parent: base\ndescription: ${v1999}\n"),
    ];
    let found = errors(&files);
    assert!(
        found[0].contains("a chain of more than 32 variables"),
        "{found:?}"
    );
}

#[test]
fn matrix_values_are_replaced_once() {
    let settings = format!("{SETTINGS}variables: {{y: q}}\n");
    let child = "parent: base\nmatrix: {j: [\"$${y}\", \"${y}\"], n: [a]}\n\
                 name: \"x-${n}-${tag}\"\nvariables: {tag: t}\ntags: {A: \"${j}\"}\n";
    let one = child.replace(", \"${y}\"", "");
    let catalog = load_valid(&[
        ("images/a.yaml", &one),
        ("images/b.yaml", "parent: base\ndescription: \"${y}\"\n"),
        ("bakeline.yaml", &settings),
    ]);
    assert_eq!(image(&catalog, "x-a-t").tags["A"], "${y}");
    let other = child.replace("\"$${y}\", ", "");
    let catalog = load_valid(&[("images/a.yaml", &other), ("bakeline.yaml", &settings)]);
    assert_eq!(image(&catalog, "x-a-t").tags["A"], "q");
}
