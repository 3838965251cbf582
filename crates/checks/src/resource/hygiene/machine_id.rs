//! The `machine_id` resource: the state of the machine ID.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "machine_id",
    "Machine ID in /etc/machine-id. An instance generates it at its first boot if the image \
     has none. The collector does not read out the ID itself. A running system always has an \
     ID, and seal.sh removes it after the build checks. Check at boot that it exists, and in a \
     directory that the image has none. Judged in phase boot unless `phase` is set.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "state",
        ValueType::Word(STATES),
        "State of the file: absent, empty, uninitialized (the next boot is a first boot) or \
         present.",
    ),
    Property::new(
        "dbus",
        ValueType::Word(&["absent", "link", "same", "different"]),
        "State of /var/lib/dbus/machine-id: absent, link, same (a copy of the ID) or different \
         (an ID of another machine).",
    ),
])
.with_phases(&[Phase::Boot])
.with_collection(include_str!("machine_id.sh"), requests);

const STATES: &[&str] = &["absent", "empty", "uninitialized", "present"];

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    if asked.iter().any(|one| one.properties.contains("dbus")) {
        vec!["machine_id".to_owned()]
    } else {
        Vec::new()
    }
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if property == "dbus" {
        return view
            .parse_reading("dbus_id", "", |text| Ok(text.to_owned()))
            .observe("was not collected", |word| {
                Observation::Value(Value::Word((*word).clone()))
            });
    }
    let state = &view.identity().machine_id;
    if STATES.contains(&state.as_str()) {
        Observation::Value(Value::Word(state.clone()))
    } else {
        Observation::not_collected()
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    #[test]
    fn state_is_known_without_the_id() {
        for state in super::STATES {
            let text = format!("uid=0\nmachine_id={state}\n");
            let frames = [
                ("identity", "", 0, "-", text.as_str()),
                ("dbus_id", "", 0, "-", "different"),
            ];
            let judge_check =
                |yaml: &str| lines(&format!("- {{machine_id: this, {yaml}}}"), &frames).join("");
            assert_eq!(
                judge_check(&format!("state: {state}")),
                "passed  machine_id:this"
            );
            assert_eq!(
                judge_check("state: {in: [empty, uninitialized]}").starts_with("passed"),
                ["empty", "uninitialized"].contains(state)
            );
            assert!(judge_check("dbus: {in: [absent, link, same]}").starts_with("failed"));
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
