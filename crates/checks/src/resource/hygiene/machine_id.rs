//! The `machine_id` resource: whether a system has an id that each instance should make for itself.

use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Target, words};
use crate::matcher::value::Value;
use crate::phase::Phase;

pub(crate) static KIND: Kind = Kind {
    name: "machine_id",
    doc: "The id in /etc/machine-id, which each instance makes at its first boot where the image has none; the id itself \
          stays on the target. A system that runs has one, and seal.sh empties it after the checks of the build: a boot shows \
          that there is one, and only a directory that the image has none. Judged in phase boot unless `phase` says more.",
    subject: words("name", "The system itself: `this`.", &["this"]),
    parameters: &[],
    properties: &[
        Property::new(
            "state",
            Of::Word(STATES),
            "absent, empty, uninitialized (the word, which makes the next boot a first one) or present.",
        ),
        Property::new(
            "dbus",
            Of::Word(&["absent", "link", "same", "different"]),
            "What /var/lib/dbus/machine-id is: absent, a link, a copy of the same id, or a different one, which an earlier machine left.",
        ),
    ],
    open: None,
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Boot],
    not_in_directory: None,
    shell: include_str!("machine_id.sh"),
    requests,
    observe,
};

const STATES: &[&str] = &["absent", "empty", "uninitialized", "present"];

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    if asked.iter().any(|one| one.properties.contains("dbus")) {
        vec!["machine_id".to_owned()]
    } else {
        Vec::new()
    }
}

fn observe(_: &Target, property: &str, view: &View<'_>) -> Observed {
    if property == "dbus" {
        return view
            .parsed("dbus_id", "", |text| Ok(text.to_owned()))
            .observe("was not looked at", |word| {
                Observed::Value(Value::Word((*word).clone()))
            });
    }
    let state = &view.identity().machine_id;
    if STATES.contains(&state.as_str()) {
        Observed::Value(Value::Word(state.clone()))
    } else {
        Observed::uncollected()
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    #[test]
    fn the_state_is_known_without_the_id() {
        for state in super::STATES {
            let text = format!("uid=0\nmachine_id={state}\n");
            let frames = [
                ("identity", "", 0, "-", text.as_str()),
                ("dbus_id", "", 0, "-", "different"),
            ];
            let told =
                |yaml: &str| lines(&format!("- {{machine_id: this, {yaml}}}"), &frames).join("");
            assert_eq!(told(&format!("state: {state}")), "passed  machine_id:this");
            assert_eq!(
                told("state: {in: [empty, uninitialized]}").starts_with("passed"),
                ["empty", "uninitialized"].contains(state)
            );
            assert!(told("dbus: {in: [absent, link, same]}").starts_with("failed"));
        }
        assert!(
            lines(
                "- {machine_id: this, state: present}",
                &[("identity", "", 0, "-", "uid=0\n")]
            )[0]
            .starts_with("error")
        );
        assert!(
            lines(
                "- {machine_id: this, dbus: link}",
                &[("identity", "", 0, "-", "uid=0\n")]
            )[0]
            .starts_with("error")
        );
    }
}
