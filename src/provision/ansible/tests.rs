//! Owns the tests of what `ansible-playbook` is started with and of what its output means.

use super::*;

fn job() -> Job {
    Job {
        image: "web".into(),
        playbook: "ansible/site.yaml".into(),
        user: "admin".into(),
        config: CONFIG.into(),
    }
}

fn verdict(code: Option<i32>, said: &str) -> Result<(), String> {
    let mut output = Output::default();
    said.lines().for_each(|line| output.hear(line, &job()));
    output.verdict(code, &job())
}

const RECAP: &str = "PLAY RECAP *****\nweb                        : ok=3    changed=1    unreachable=0    failed=0    skipped=0\n";

#[test]
fn a_playbook_that_ran_is_good_and_one_that_was_for_nobody_is_not() {
    assert_eq!(verdict(Some(0), RECAP), Ok(()));
    let nobody = "[WARNING]: Could not match supplied host pattern, ignoring: db\nPLAY [db] ***\nskipping: no hosts matched\nPLAY RECAP ***\n";
    let error = verdict(Some(0), nobody).expect_err("nothing was done");
    assert!(
        error.contains("ansible/site.yaml") && error.contains("hosts: all"),
        "{error}"
    );
    assert!(
        verdict(Some(0), &RECAP.replace("web  ", "web2 ")).is_err(),
        "another host"
    );
}

#[test]
fn the_task_that_failed_is_named_with_what_it_said() {
    let said = "TASK [web : Install nginx [x] it's] ****\n\
        fatal: [web]: FAILED! => {\"changed\": true, \"msg\": \"non-zero return code\", \"stderr\": \"no such\\nthing\"}\n";
    let error = verdict(Some(2), &format!("{said}{RECAP}")).expect_err("failed");
    assert_eq!(
        error,
        "playbook `ansible/site.yaml`: task `web : Install nginx [x] it's` failed: non-zero return code: no such thing"
    );
    let handler = "RUNNING HANDLER [restart] ***\nfailed: [web] (item=a) => {\"censored\": \"the output is hidden\"}\n";
    assert!(
        verdict(Some(2), handler).is_err_and(|e| e.contains("`restart`") && e.contains("hidden"))
    );
    let gone = "TASK [Gathering Facts] ***\nfatal: [web]: UNREACHABLE! => {\"msg\": \"no route\", \"unreachable\": true}\n";
    assert!(
        verdict(Some(4), gone).is_err_and(|e| e.contains("could not reach the instance: no route"))
    );
    let odd = "TASK [a] ***\nfatal: [web]: FAILED! => {\n";
    assert!(verdict(Some(2), odd).is_err_and(|e| e.contains("task `a` failed: fatal: [web]")));
}

#[test]
fn a_failure_that_is_ignored_is_not_the_reason_of_a_later_one() {
    let ignored = "TASK [a] ***\nfatal: [web]: FAILED! => {\"msg\": \"x\"}\n...ignoring\n";
    assert_eq!(verdict(Some(0), &format!("{ignored}{RECAP}")), Ok(()));
    assert!(verdict(Some(1), ignored).is_err_and(|e| e.ends_with("ansible-playbook exited 1")));
    let wrong = "ERROR! We were unable to read it:\nSyntax Error while loading YAML.\n  did not find ','\n\n\
        The error appears to be in 'ansible/site.yaml': line 4, column 7, but may\nbe elsewhere in the file\n  x: y\n";
    let error = verdict(Some(4), wrong).expect_err("no YAML");
    assert!(
        error.contains("did not find ',' The error appears to be in 'ansible/site.yaml': line 4"),
        "{error}"
    );
    assert!(!error.contains("x: y"), "{error}");
    assert!(verdict(None, "").is_err_and(|e| e.contains("killed")));
}

#[test]
fn a_long_message_is_cut_and_stays_on_one_line() {
    let said = format!(
        "TASK [a] ***\nfatal: [web]: FAILED! => {{\"msg\": \"{}\"}}\n",
        "long\\n".repeat(900)
    );
    let error = verdict(Some(2), &said).expect_err("failed");
    assert!(
        error.chars().count() < LONGEST + 80 && !error.contains('\n') && error.ends_with('…'),
        "{error}"
    );
}

#[test]
fn the_folder_holds_the_files_the_variables_and_an_empty_configuration_unless_there_is_one() {
    let files = ["ansible/site.yaml", "ansible/roles/web/tasks/main.yaml"];
    let content: BTreeMap<String, Vec<u8>> = files
        .iter()
        .chain(&["ansible/ansible.cfg", "other"])
        .map(|f| ((*f).to_owned(), b"x".to_vec()))
        .collect();
    let vars = BTreeMap::from([("greeting".to_owned(), "{% x %} \"é\\\n\u{7f}'".to_owned())]);
    let own = |files: &[&str]| Ansible {
        playbook: "ansible/site.yaml".into(),
        files: files.iter().map(|f| (*f).to_owned()).collect(),
        vars: vars.clone(),
    };
    let made = folder(&own(&files), "web", "admin", &content);
    let names: Vec<&str> = made.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "ansible.cfg",
            "files/ansible/roles/web/tasks/main.yaml",
            "files/ansible/site.yaml",
            "host_vars/127.0.0.1.json",
            "host_vars/::1.json",
            "host_vars/localhost.json",
            "job.json",
            "vars.yaml"
        ]
    );
    assert_eq!(
        String::from_utf8_lossy(&made["host_vars/localhost.json"]),
        r#"{"ansible_become": false}"#
    );
    let text = String::from_utf8_lossy(&made["vars.yaml"]);
    let expected = r#""greeting": !unsafe "{% x %} \"\U000000E9\\\U0000000A\U0000007F'","#;
    assert!(text.contains(expected), "{text}");
    let made = folder(
        &own(&[&files[..], &["ansible/ansible.cfg"]].concat()),
        "web",
        "admin",
        &content,
    );
    let read: Job = serde_json::from_slice(&made["job.json"]).expect("a job");
    assert_eq!(
        (read.config.as_str(), made.get("ansible.cfg")),
        ("files/ansible/ansible.cfg", None)
    );
}

#[test]
fn arguments_have_nothing_of_the_user_and_tasks_can_override_become() {
    let expected = [
        "-i",
        "inventory.json",
        "--become",
        "-e",
        "@vars.yaml",
        "files/ansible/site.yaml",
    ];
    assert_eq!(arguments(&job()), expected);
    let inventory: serde_json::Value = serde_json::from_slice(&inventory(
        &job(),
        "10.0.0.7",
        2222,
        Path::new("/run/a key"),
    ))
    .expect("JSON");
    let host = &inventory["all"]["hosts"]["web"];
    assert_eq!(
        (host["ansible_host"].as_str(), host["ansible_port"].as_u64()),
        (Some("10.0.0.7"), Some(2222))
    );
    assert!(
        host.get("ansible_become").is_none(),
        "a variable overrides the keyword of a task"
    );
    let variables = environment(&job(), Path::new("/w"), "/it's");
    assert!(variables.iter().all(|(name, _)| *name != "ANSIBLE_BECOME"));
    let ssh = &variables
        .iter()
        .find(|(name, _)| *name == "ANSIBLE_SSH_ARGS")
        .expect("options")
        .1;
    assert!(ssh.starts_with(r"-F '/it'\''s' -o "), "{ssh}");
}
