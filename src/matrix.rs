//! Selects the cases of tests with many cases: a sample, or all of them for `make matrix`.

use proptest::test_runner::Config;

/// Environment variable that selects all cases.
const VARIABLE: &str = "BAKELINE_MATRIX";

#[expect(clippy::disallowed_methods, reason = "tests read the environment")]
fn is_full() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

/// Returns every `step`th case, or all cases in a full run, which prints their number.
pub(crate) fn select_cases<T>(
    test: &str,
    step: usize,
    cases: impl IntoIterator<Item = T>,
) -> Vec<T> {
    if !is_full() {
        return take_every(step, cases);
    }
    let all = take_every(1, cases);
    print_count(test, all.len());
    all
}

/// Environment variable with the number of the first case of a rotating sample. CI derives it from the
/// commit.
const OFFSET: &str = "BAKELINE_SAMPLE_OFFSET";

/// Returns about `count` cases, spread over all of them, or all cases in a full run. The sample depends
/// on the variable, which is printed so that a failure can be repeated.
#[expect(clippy::disallowed_methods, reason = "tests read the environment")]
pub(crate) fn select_rotating<T>(
    test: &str,
    count: usize,
    cases: impl IntoIterator<Item = T>,
) -> Vec<T> {
    let cases: Vec<T> = cases.into_iter().collect();
    if is_full() {
        return cases;
    }
    let offset = std::env::var(OFFSET).ok();
    let offset = offset.and_then(|text| text.parse().ok()).unwrap_or(0);
    let step = cases.len().div_ceil(count).max(1);
    print_offset(test, offset, step);
    cases
        .into_iter()
        .skip(offset % step)
        .step_by(step)
        .collect()
}

#[expect(
    clippy::print_stderr,
    reason = "a failure is repeated with the same sample"
)]
fn print_offset(test: &str, offset: usize, step: usize) {
    eprintln!("{test}: every {step}th case, {OFFSET}={offset}");
}

/// Returns the first case and every `step`th case after it.
fn take_every<T>(step: usize, cases: impl IntoIterator<Item = T>) -> Vec<T> {
    cases.into_iter().step_by(step).collect()
}

/// Returns a configuration of proptest with the number of cases of this run.
pub(crate) fn proptest_config(test: &str, sample: u32, full: u32) -> Config {
    let cases = if is_full() { full } else { sample };
    if is_full() {
        print_count(test, full as usize);
    }
    Config::with_cases(cases)
}

#[expect(
    clippy::print_stderr,
    reason = "the number is for the reader of the test run"
)]
fn print_count(test: &str, cases: usize) {
    eprintln!("{test}: all {cases} cases");
}

#[test]
fn sample_is_spread_over_all_cases() {
    assert_eq!(take_every(3, 1..=8), [1, 4, 7]);
    assert_eq!(take_every(1, 1..=3), [1, 2, 3]);
}
