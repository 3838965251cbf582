//! The `cpu` resource: features of the processor and mitigations of the kernel.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource::config::drop_in::FUNCTIONS;
use crate::resource::kernel::kernel_parameter::skip_reason;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "cpu",
    "Processor as the kernel reports it. Skipped if the kernel does not belong to the target.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "flags",
        ValueType::List,
        "Feature flags of /proc/cpuinfo, such as nx.",
    ),
    Property::new(
        "vulnerabilities",
        ValueType::List,
        "State of each vulnerability: `meltdown: Not affected`, `spectre_v2: Mitigation: …`.",
    ),
])
.with_collection(FUNCTIONS, requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["cpu".to_owned()]
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if let Some(skipped) = skip_reason(view) {
        return skipped;
    }
    let none = |what: &str| Observation::Missing(format!("has no {what} in the kernel"));
    if property == "flags" {
        let words = |text: &str| {
            Ok(text
                .split_ascii_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>())
        };
        return view
            .parse_reading("cpu", "", words)
            .observe("has no flags", |flags| {
                if flags.is_empty() {
                    none("flags")
                } else {
                    Observation::list(flags.iter().cloned())
                }
            });
    }
    let named = |line: &str| line.trim_start_matches("./").replacen(':', ": ", 1);
    view.parse_reading("cpu-vulnerabilities", "", |text| {
        Ok(text.lines().map(named).collect::<Vec<_>>())
    })
    .observe("has no vulnerabilities", |all| {
        if all.is_empty() {
            none("vulnerabilities")
        } else {
            Observation::list(all.iter().cloned())
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    #[test]
    fn processor_is_judged_only_with_own_kernel() {
        let text = |owned: &str| format!("uid=0\nkernel_owned={owned}\n");
        let judge_check = |yaml: &str, owned: &str, flags: &str| {
            let identity = text(owned);
            let known = "./meltdown:Not affected\n./mds:Vulnerable: Clear CPU buffers attempted\n";
            let frames = [
                ("identity", "", 0, "-", identity.as_str()),
                ("cpu", "", 0, "-", flags),
                ("cpu-vulnerabilities", "", 0, "-", known),
            ];
            lines(&format!("- {yaml}"), &frames).join("")
        };
        assert!(
            judge_check("{cpu: this, flags: {include: nx}}", "yes", " fpu nx\n")
                .starts_with("passed")
        );
        assert!(
            judge_check("{cpu: this, flags: {include: nx}}", "yes", " fpu\n").starts_with("failed")
        );
        assert!(
            judge_check("{cpu: this, flags: {disjoint: [nx]}}", "yes", "").starts_with("failed"),
            "missing flags are not an empty list"
        );
        assert!(
            judge_check("{cpu: this, flags: {include: nx}}", "no", " fpu nx\n")
                .starts_with("skipped")
        );
        assert!(
            judge_check(
                "{cpu: this, vulnerabilities: {include: \"meltdown: Not affected\"}}",
                "yes",
                ""
            )
            .starts_with("passed")
        );
        assert!(
            judge_check(
                "{cpu: this, vulnerabilities: {each: {not: {match: Vulnerable}}}}",
                "yes",
                ""
            )
            .starts_with("failed")
        );
    }
}
