//! Tests of the arguments for `ansible-playbook` and of the interpretation of its output.

use super::output::MAX_TASK_OUTPUT;
use super::*;

fn job() -> Job {
    Job {
        image: "web".into(),
        playbook: "ansible/site.yaml".into(),
        user: "admin".into(),
        links: BTreeMap::new(),
        config: CONFIG.into(),
    }
}

fn playbook_result(code: Option<i32>, output_text: &str) -> Result<(), String> {
    let mut output = Output::default();
    output_text
        .lines()
        .for_each(|line| output.read_line(line, &job()));
    output.into_result(code, &job()).map_err(|e| e.to_string())
}

const RECAP: &str = "PLAY RECAP *****\nweb                        : ok=3    changed=1    unreachable=0    failed=0    skipped=0\n";

#[test]
fn playbook_must_match_the_host() {
    assert_eq!(playbook_result(Some(0), RECAP), Ok(()));
    let unmatched = "[WARNING]: Could not match supplied host pattern, ignoring: db\nPLAY [db] ***\nskipping: no hosts matched\nPLAY RECAP ***\n";
    let error = playbook_result(Some(0), unmatched).expect_err("nothing was done");
    assert!(
        error.contains("ansible/site.yaml") && error.contains("hosts: all"),
        "{error}"
    );
    assert!(
        playbook_result(Some(0), &RECAP.replace("web  ", "web2 ")).is_err(),
        "another host"
    );
}

#[test]
fn error_names_failed_task_and_reason() {
    let said = "TASK [web : Install nginx [x] it's] ****\n\
        fatal: [web]: FAILED! => {\"changed\": true, \"msg\": \"non-zero return code\", \"stderr\": \"no such\\nthing\"}\n";
    let error = playbook_result(Some(2), &format!("{said}{RECAP}")).expect_err("failed");
    assert_eq!(
        error,
        "playbook `ansible/site.yaml`: task `web : Install nginx [x] it's` failed: non-zero return code: no such thing"
    );
    let handler = "RUNNING HANDLER [restart] ***\nfailed: [web] (item=a) => {\"censored\": \"the output is hidden\"}\n";
    assert!(
        playbook_result(Some(2), handler)
            .is_err_and(|e| e.contains("`restart`") && e.contains("hidden"))
    );
    let gone = "TASK [Gathering Facts] ***\nfatal: [web]: UNREACHABLE! => {\"msg\": \"no route\", \"unreachable\": true}\n";
    assert!(
        playbook_result(Some(4), gone)
            .is_err_and(|e| e.contains("could not reach the instance: no route"))
    );
    let odd = "TASK [a] ***\nfatal: [web]: FAILED! => {\n";
    assert!(
        playbook_result(Some(2), odd).is_err_and(|e| e.contains("task `a` failed: fatal: [web]"))
    );
}

#[test]
fn error_contains_output_without_error_output() {
    let said = "TASK [a] ***\nfatal: [web]: FAILED! => {\"msg\": \"failed to validate\", \"stderr\": \"\", \"stdout\": \"x:21: no such option\"}\n";
    let error = playbook_result(Some(2), said).expect_err("failed");
    assert!(
        error.ends_with("failed to validate: x:21: no such option"),
        "{error}"
    );
    let both = said.replace("\"stderr\": \"\"", "\"stderr\": \"why\"");
    let error = playbook_result(Some(2), &both).expect_err("failed");
    assert!(error.ends_with("failed to validate: why"), "{error}");
}

#[test]
fn ignored_failure_is_not_reported() {
    let ignored = "TASK [a] ***\nfatal: [web]: FAILED! => {\"msg\": \"x\"}\n...ignoring\n";
    assert_eq!(
        playbook_result(Some(0), &format!("{ignored}{RECAP}")),
        Ok(())
    );
    assert!(
        playbook_result(Some(1), ignored).is_err_and(|e| e.ends_with("ansible-playbook exited 1"))
    );
    let wrong = "ERROR! We were unable to read it:\nSyntax Error while loading YAML.\n  did not find ','\n\n\
        The error appears to be in 'ansible/site.yaml': line 4, column 7, but may\nbe elsewhere in the file\n  x: y\n";
    let error = playbook_result(Some(4), wrong).expect_err("no YAML");
    assert!(
        error.contains("did not find ',' The error appears to be in 'ansible/site.yaml': line 4"),
        "{error}"
    );
    assert!(error.ends_with("column 7"), "{error}");
    assert!(playbook_result(None, "").is_err_and(|e| e.contains("killed")));
}

#[test]
fn long_message_is_shortened_to_one_line() {
    let said = format!(
        "TASK [a] ***\nfatal: [web]: FAILED! => {{\"msg\": \"{}\"}}\n",
        "long\\n".repeat(900)
    );
    let error = playbook_result(Some(2), &said).expect_err("failed");
    assert!(
        error.chars().count() < MAX_TASK_OUTPUT + 80
            && !error.contains('\n')
            && error.ends_with('…'),
        "{error}"
    );
}

#[test]
fn folder_has_files_variables_and_configuration() {
    let files = ["ansible/site.yaml", "ansible/roles/web/tasks/main.yaml"];
    let content: BTreeMap<String, Vec<u8>> = files
        .iter()
        .chain(&["ansible/ansible.cfg", "other"])
        .map(|f| ((*f).to_owned(), b"x".to_vec()))
        .collect();
    let vars = BTreeMap::from([("greeting".to_owned(), "{% x %} \"é\\\n\u{7f}'".into())]);
    let own = |files: &[&str]| Ansible {
        playbook: "ansible/site.yaml".into(),
        files: files.iter().map(|f| (*f).to_owned()).collect(),
        links: BTreeMap::from([("ansible/roles/x".to_owned(), "ansible/roles/web".to_owned())]),
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
    assert_eq!(read.links["ansible/roles/x"], "ansible/roles/web");
}

#[test]
fn arguments_exclude_user_data_and_allow_become_override() {
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

#[test]
fn variables_keep_their_types() {
    let values = serde_json::json!({
        "count": 3, "large": 18_446_744_073_709_551_615_u64, "ratio": 1e300, "on": true, "none": null,
        "list": ["a", 1, ["{{ b }}"]], "map": {"k: #": {"deep": "{% c %}"}}, "empty": [],
    });
    let serde_json::Value::Object(values) = values else {
        unreachable!()
    };
    let text = super::render_variables(&values.into_iter().collect());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "---",
            "{",
            "\"count\": 3,",
            "\"empty\": [],",
            "\"large\": 18446744073709551615,",
            "\"list\": [!unsafe \"a\", 1, [!unsafe \"{{ b }}\", ], ],",
            "\"map\": {\"k: #\": {\"deep\": !unsafe \"{% c %}\", }, },",
            "\"none\": null,",
            "\"on\": true,",
            "\"ratio\": !!float \"1e+300\",",
            "}",
        ]
    );
}

#[test]
fn missing_vault_password_is_explained() {
    let task = "TASK [include_vars] ***\nfatal: [web]: FAILED! => {\"message\": \"Attempting to decrypt but no vault secrets found\"}\n";
    let wrong = "TASK [a] ***\nfatal: [web]: FAILED! => {\"message\": \"Decryption failed (no vault secrets were found that could decrypt) on x\"}\n";
    let load = "ERROR! Attempting to decrypt but no vault secrets found\n";
    for said in [task, wrong, load] {
        let error = playbook_result(Some(2), said).expect_err("failed");
        assert!(
            error.contains("crypt") && error.ends_with("set `ANSIBLE_VAULT_PASSWORD_FILE` to the absolute path of a file with the password"),
            "{error}"
        );
    }
}

#[test]
fn missing_collection_is_explained() {
    let task =
        "TASK [a] ***\nfatal: [web]: FAILED! => {\"msg\": \"unable to locate collection a.b\"}\n";
    let load = "ERROR! couldn't resolve module/action 'a.b.c'. This often indicates a misspelling.\n\n\
        The error appears to be in 'ansible/site.yaml': line 2, column 3, but may\nbe elsewhere in the file\n";
    for said in [task, load] {
        let error = playbook_result(Some(2), said).expect_err("failed");
        assert!(
            error.ends_with("`ansible-galaxy collection install a.b -p ansible/collections`"),
            "{error}"
        );
    }
}
