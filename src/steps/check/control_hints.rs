//! Names the files of failed controls, and explains those that an image inherits.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checks::Control;
use crate::model::ImageName;

/// Largest number of controls that a hint explains.
const MAX_CONTROLS: usize = 3;

/// Returns a hint for each failed control: where it is defined, and the remedies for one that an
/// ancestor of the image also has.
pub(super) fn control_hints<'v>(
    catalog: &Catalog,
    image: &ImageName,
    failed: impl Iterator<Item = &'v str>,
) -> Vec<String> {
    let lineage = catalog.lineage(image);
    let Some((own, ancestors)) = lineage.split_first() else {
        return Vec::new();
    };
    let hint = |id: &str| {
        let has_control = |c: &&Arc<Control>| c.id == id;
        let inherited = ancestors
            .iter()
            .rev()
            .find_map(|a| Some((a, a.controls.iter().find(has_control)?)));
        let Some((ancestor, control)) = inherited else {
            let at = &own.controls.iter().find(has_control)?.defined_at;
            return Some(format!("`{id}` is defined in {}:{}", at.file, at.line));
        };
        let at = &control.defined_at;
        Some(format!(
            "`{id}` ({}) of `{}` ({}:{}) is inherited from `{}`: change what this image installs, or in \
             {} use `override: {{{id}: {}}}`, `disable: {{{id}: REASON}}` or a waiver",
            control.title,
            at.name,
            at.file,
            at.line,
            ancestor.name,
            own.file,
            override_example(control)
        ))
    };
    failed.filter_map(hint).take(MAX_CONTROLS).collect()
}

/// Returns the value of an override: the inputs of the control, if it has any.
fn override_example(control: &Control) -> String {
    let inputs: Vec<String> = control
        .inputs
        .keys()
        .map(|name| format!("{name}: …"))
        .collect();
    if inputs.is_empty() {
        "…".to_owned()
    } else {
        format!("{{inputs: {{{}}}}}", inputs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::control_hints;
    use crate::catalog::load;
    use crate::model::ImageName;

    #[test]
    fn inherited_control_is_explained_with_remedies() {
        let files = [
            ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n"),
            (
                "profiles/os.yaml",
                "inputs: {rules: {default: [/a]}}\nchecks:\n  - {id: os-13, title: Cron is private, file: /etc/crontab, mode: \"0600\"}\n  \
                 - {id: sudo, files: /etc/sudoers.d, paths: {subset_of: $inputs.rules}}\n",
            ),
            ("images/base.yaml", "source: {ssm: /a}\nprofiles: [os]\n"),
            ("images/mid.yaml", "parent: base\n"),
            (
                "images/web.yaml",
                "parent: mid\nchecks:\n  - {id: own-1, package: cron}\n",
            ),
        ];
        let files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect();
        let (catalog, found) = load(&files);
        let catalog = catalog.unwrap_or_else(|| panic!("{found:#?}"));
        let hints = |image: &str| {
            control_hints(
                &catalog,
                &ImageName::from(image),
                ["os-13", "own-1"].into_iter(),
            )
        };
        assert_eq!(
            hints("web"),
            [
                "`os-13` (Cron is private) of `os` (profiles/os.yaml:3) is inherited from `base`: change what this image \
                 installs, or in images/web.yaml use `override: {os-13: …}`, `disable: {os-13: REASON}` \
                 or a waiver",
                "`own-1` is defined in images/web.yaml:3"
            ]
        );
        assert_eq!(hints("base"), ["`os-13` is defined in profiles/os.yaml:3"]);
        let hints = control_hints(&catalog, &ImageName::from("web"), ["sudo"].into_iter());
        assert!(
            hints[0].contains("`override: {sudo: {inputs: {rules: …}}}`"),
            "{hints:?}"
        );
    }
}
