//! Stores broken on purpose: each breaks the rules that hold what it lacks, and keeps all others.

use annals::MemoryStore;
use annals_testing::conformance::faulty::{Fault, Faulty};
use annals_testing::conformance::rules;

use crate::faults::appends::{
    Doubles, ForgottenKey, ForgottenReaders, NarrowVersions, NoConcurrencyCheck, NoFault, OneByOne,
    Rewritten, UnitsOfOneVersion,
};
use crate::faults::owners::{
    BehindItsCheckpoint, ColumnsUnchecked, FenceUnchecked, FurthestShard, OnlyLeasesThatAreHeld,
};
use crate::faults::reads::{
    Deaf, EveryStream, MoreLeftOut, NewestSnapshot, OutOfOrder, PassedEvent, SkippedEvent,
    TailWithoutItsFirst, VersionsMixedUpInTheLog,
};

/// Checks that a fault breaks just these rules.
///
/// The tests run on one thread and a clock that stands still while there is something to do: tasks take turns where they
/// await, so that each race ends alike each time, and what would wait for ever takes no time.
async fn check<F: Fault<MemoryStore>>(fault: impl Fn() -> F, expected: &[&str]) {
    let broken = rules::broken(|| Faulty::new(MemoryStore::new(), fault())).await;
    for broken in &broken {
        println!("{broken}");
    }
    let mut names: Vec<&str> = broken.iter().map(|broken| broken.rule()).collect();
    names.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test(start_paused = true)]
async fn no_fault() {
    check(|| NoFault, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn no_concurrency_check() {
    check(
        || NoConcurrencyCheck,
        &[
            "a_command_is_decided_again_after_a_conflict",
            "a_conflict_tells_both_versions",
            "a_conflict_that_is_not_retried_is_told",
            "a_conflict_undoes_all",
            "a_failed_append_claims_no_key",
            "an_empty_list_still_checks_what_it_expects",
            "appends_to_several_streams_are_all_or_none",
            "commands_that_meet_all_count",
            "each_append_is_applied_after_those_before_it",
            "expected_exact_takes_only_that_version",
            "expected_no_stream_takes_only_a_stream_without_events",
            "of_two_writers_one_wins",
            "of_two_writers_to_several_streams_one_wins",
            "streams_go_on_beyond_16_bits",
            "versions_have_64_bits",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn versions_of_32_bits() {
    check(|| NarrowVersions, &["versions_have_64_bits"]).await;
}

#[tokio::test(start_paused = true)]
async fn more_left_out_than_metadata() {
    check(|| MoreLeftOut, &["without_metadata_the_events_are_the_same"]).await;
}

#[tokio::test(start_paused = true)]
async fn forgotten_readers() {
    check(
        || ForgottenReaders,
        &[
            "a_unit_keeps_old_versions_as_they_were",
            "old_versions_come_back_beside_new_ones",
            "stored_names_come_back_as_they_were",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn json_written_anew_is_no_fault() {
    check(|| Rewritten, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn versions_mixed_up_in_the_log() {
    check(
        || VersionsMixedUpInTheLog,
        &["a_unit_keeps_old_versions_as_they_were", "old_versions_come_back_beside_new_ones"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn units_of_one_version() {
    check(|| UnitsOfOneVersion, &["a_unit_keeps_old_versions_as_they_were"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_skipped_event() {
    check(
        || SkippedEvent,
        &[
            "an_event_is_the_same_in_stream_and_log",
            "no_append_falls_between_look_and_wait",
            "of_two_writers_to_several_streams_one_wins",
            "payloads_come_back_as_they_were",
            "readers_at_the_tail_pass_nothing",
            "the_log_has_each_event_once_in_order",
            "the_log_is_filtered_by_names_and_categories",
            "the_log_is_read_after_any_position",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_event_passed_at_the_tail() {
    check(
        || PassedEvent,
        &[
            "nothing_appears_below_a_head",
            "readers_at_the_tail_pass_nothing",
            "the_log_is_filtered_by_names_and_categories",
            "the_log_is_filtered_by_streams",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn positions_out_of_the_streams_order() {
    check(
        || OutOfOrder,
        &[
            "a_unit_keeps_old_versions_as_they_were",
            "an_empty_list_of_events_is_a_success",
            "an_event_is_the_same_in_stream_and_log",
            "appends_to_several_streams_are_all_or_none",
            "metadata_comes_back_as_it_was",
            "old_versions_come_back_beside_new_ones",
            "payloads_come_back_as_they_were",
            "readers_at_the_tail_pass_nothing",
            "the_log_has_each_event_once_in_order",
            "the_log_is_filtered_by_names_and_categories",
            "the_log_is_filtered_by_streams",
            "the_log_is_read_after_any_position",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_takes_every_stream() {
    check(|| EveryStream, &["the_log_is_filtered_by_streams"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_key() {
    check(
        || ForgottenKey,
        &[
            "a_command_sent_again_is_not_done_again",
            "a_command_that_its_twin_outran_is_answered",
            "a_command_without_events_keeps_its_key",
            "a_key_belongs_to_its_stream",
            "a_key_claimed_twice_in_a_call_is_refused",
            "a_key_in_use_tells_its_entry",
            "a_key_in_use_undoes_all",
            "a_key_is_kept_without_events",
            "a_key_is_stored_with_its_events",
            "a_key_may_be_kept_for_the_longest_lifetime",
            "a_key_of_another_command_is_refused",
            "a_purge_removes_only_what_has_expired",
            "a_raced_command_is_done_once",
            "a_raced_key_is_claimed_once",
            "an_expired_key_is_none",
            "an_unknown_outcome_is_told_and_found_out",
            "keys_are_told_apart_byte_by_byte",
            "keys_that_cannot_be_kept_are_refused",
            "several_appends_sent_again_are_not_doubled",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn appends_not_atomic_over_streams() {
    check(
        || OneByOne,
        &[
            "a_call_that_is_there_in_part_is_refused",
            "a_checkpoint_never_moves_back_under_one_epoch",
            "a_conflict_tells_both_versions",
            "a_conflict_undoes_all",
            "a_failed_append_claims_no_key",
            "a_key_claimed_twice_in_a_call_is_refused",
            "a_key_in_use_tells_its_entry",
            "a_key_in_use_undoes_all",
            "a_stale_lease_undoes_all",
            "a_unit_sent_again_is_not_done_again",
            "appends_to_several_streams_are_all_or_none",
            "each_append_is_applied_after_those_before_it",
            "event_ids_in_use_are_refused",
            "event_names_that_cannot_be_kept_are_refused",
            "ids_that_cannot_be_kept_are_refused",
            "keys_that_cannot_be_kept_are_refused",
            "of_two_writers_to_several_streams_one_wins",
            "several_appends_sent_again_are_not_doubled",
            "several_streams_are_seen_together",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn doubles_on_retry() {
    check(
        || Doubles,
        &[
            "a_call_that_is_there_in_part_is_refused",
            "a_conflict_undoes_all",
            "a_unit_sent_again_is_not_done_again",
            "an_append_sent_again_is_not_doubled",
            "an_append_sent_again_later_is_not_a_conflict",
            "an_append_sent_again_with_its_key_is_not_doubled",
            "an_append_sent_by_many_is_stored_once",
            "an_unknown_outcome_is_told_and_found_out",
            "appends_to_several_streams_are_all_or_none",
            "event_ids_in_use_are_refused",
            "several_appends_sent_again_are_not_doubled",
            "stored_names_come_back_as_they_were",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_fence_not_checked() {
    check(
        || FenceUnchecked,
        &[
            "a_division_gives_all_leases_up",
            "a_generation_is_built_beside_the_one_that_answers",
            "a_generation_takes_over_with_all_columns",
            "a_generation_takes_over_with_all_shards",
            "a_lease_lost_while_writing_stops_the_writer",
            "a_released_lease_passes_on_at_once",
            "a_stale_lease_undoes_all",
            "a_takeover_raises_the_epoch",
            "scratch_rows_go_with_their_lease",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn new_shards_where_the_furthest_is() {
    check(
        || FurthestShard,
        &[
            "a_division_beside_writers_counts_what_they_wrote",
            "new_shards_begin_where_their_slices_are",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_leases_that_are_held() {
    check(|| OnlyLeasesThatAreHeld, &["leases_tell_their_owners"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_behind_its_checkpoint() {
    check(|| BehindItsCheckpoint, &["a_checkpoint_never_moves_back_under_one_epoch"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_snapshot_instead_of_the_last() {
    check(
        || NewestSnapshot,
        &["a_snapshot_ahead_of_its_stream_counts_as_none", "the_snapshot_saved_last_counts"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tail_without_its_first() {
    check(
        || TailWithoutItsFirst,
        &[
            "a_snapshot_and_its_page_are_what_they_are_apart",
            "a_snapshot_of_another_shape_counts_as_none",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_missed_wake_up() {
    let deaf = || Faulty::new(MemoryStore::new(), Deaf);
    for verdict in [
        rules::a_wait_ends_when_events_come(deaf()).await,
        rules::no_append_falls_between_look_and_wait(deaf()).await,
    ] {
        let broken = verdict.unwrap_err();
        assert!(broken.found().contains("nothing after"), "{broken}");
    }
    rules::readers_at_the_tail_pass_nothing(deaf()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn columns_are_not_compared() {
    check(ColumnsUnchecked::default, &["a_generation_takes_over_with_all_columns"]).await;
}
