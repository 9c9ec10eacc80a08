//! The rules and what each promises, in one table: tests, public functions and failure messages all come from here.
//!
//! A rule is one entry here and the function of its name in the module under `rules` that stands above it. The numbers at
//! the end of a promise are those of the design's list of promises.

/// Passes the rules of one port on to another macro, after its arguments and the traits that a store needs for them.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_table {
    (events [$($callback:tt)+] $($argument:tt)*) => { $($callback)+! {
        [$($argument)*] [EventStore]
        appends {
            /// Events are stored in their order at the versions from 1 on, and the receipt names the last (1).
            an_append_stores_its_events_in_their_order
            /// Appends to several streams in one call are stored all or none, whichever of them fails (1).
            appends_to_several_streams_are_all_or_none
            /// Each append of a call is applied to what those before it leave, on one stream too (1).
            each_append_is_applied_after_those_before_it
            /// What one call appends to several streams is seen together, never one of them without the other (1).
            several_streams_are_seen_together
            /// Calls that append to the same streams in opposite orders all succeed; none is told a deadlock (1).
            crossed_streams_do_not_block_one_another
            /// Thousands of events in one append are stored whole (1).
            thousands_of_events_fit_in_one_append
            /// A call without any append is a success without any receipt (5).
            no_append_at_all_is_a_success
            /// An empty list of events stores none, is a success, and its receipt names the stream's present head (5).
            an_empty_list_of_events_is_a_success
            /// An empty list of events still checks what it expects of its stream (1, 5).
            an_empty_list_still_checks_what_it_expects
        }
        conflicts {
            /// `Expected::Any` takes a stream at every version (1).
            expected_any_takes_every_version
            /// `Expected::NoStream` takes only a stream without events (1).
            expected_no_stream_takes_only_a_stream_without_events
            /// `Expected::Exact` takes only that version (1).
            expected_exact_takes_only_that_version
            /// A conflict names its stream, tells the version expected and the version found, and stores nothing (1).
            a_conflict_tells_both_versions
            /// Of many writers who expect one version of one stream, one wins and all others are told a conflict (1).
            of_two_writers_one_wins
            /// Of many writers who each append to two streams, those who overlap with the winner store nothing (1).
            of_two_writers_to_several_streams_one_wins
            /// The version is the stream's own head, whatever is in it and whatever is in other streams (2).
            the_head_is_the_streams_own
            /// Versions have 64 bits: one beyond 32 bits is neither cut nor an overflow (1, 2).
            versions_have_64_bits
            /// A stream goes on beyond 65,535 events (2).
            streams_go_on_beyond_16_bits
        }
        keys {
            /// An idempotency key is stored with its events: command, hash of the content, receipt (3).
            a_key_is_stored_with_its_events
            /// A key in use refuses an append whatever it expects, tells who used it, and nothing is stored (3).
            a_key_in_use_tells_its_entry
            /// An append that fails claims no key (3).
            a_failed_append_claims_no_key
            /// A key belongs to its stream: the same text on another stream is another key (3).
            a_key_belongs_to_its_stream
            /// A key claimed without events is kept, on a stream that has none too (3, 5).
            a_key_is_kept_without_events
            /// Keys are told apart byte by byte, and kept as they are, whatever characters they have (3).
            keys_are_told_apart_byte_by_byte
            /// A key that is empty, over-long or has a null character is refused, and nothing is stored (3).
            keys_that_cannot_be_kept_are_refused
            /// One key claimed twice in one call is refused, and nothing is stored (3).
            a_key_claimed_twice_in_a_call_is_refused
            /// A key whose lifetime is over is none: it is not found, and is free to be claimed (3).
            an_expired_key_is_none
            /// A key given for the longest of lifetimes is kept (3).
            a_key_may_be_kept_for_the_longest_lifetime
            /// A purge removes what has expired and nothing else; keys of processes never expire (3).
            a_purge_removes_only_what_has_expired
            /// Of many appends that claim one key at once, one is stored; the others are told its receipt (3).
            a_raced_key_is_claimed_once
        }
        retries {
            /// An append sent again with the same event ids is answered with its first receipt and not doubled (4).
            an_append_sent_again_is_not_doubled
            /// An append sent again after others have appended is answered, not told a conflict (4).
            an_append_sent_again_later_is_not_a_conflict
            /// A call of several appends sent again is answered as one, appends without events included (4).
            several_appends_sent_again_are_not_doubled
            /// An append sent again is not held up by the idempotency key that it has claimed itself (3, 4).
            an_append_sent_again_with_its_key_is_not_doubled
            /// Event ids that are there in part, in another order or stream are refused, and nothing is stored (4).
            event_ids_in_use_are_refused
            /// A call of which some appends are there and others not is refused, and nothing is stored (1, 4).
            a_call_that_is_there_in_part_is_refused
            /// One append that many send at once is stored once, and all are told one receipt (4).
            an_append_sent_by_many_is_stored_once
        }
        metadata {
            /// Metadata comes back as it was: correlation, causation, user, instant, headers, in any script (6).
            metadata_comes_back_as_it_was
            /// A reader who asks for no metadata gets the same events, each with its own metadata or with none (6, 7).
            without_metadata_the_events_are_the_same
            /// Stored names and versions of shapes come back as they were (6, 10).
            stored_names_come_back_as_they_were
            /// Events of old versions and names come back beside new ones, in stream and log, nothing of them rewritten (10).
            old_versions_come_back_beside_new_ones
            /// `recorded_at` is the append's instant, is in the receipt, and never decreases within a stream (8).
            recorded_at_never_decreases_within_a_stream
        }
        payloads {
            /// A payload says when it is read what it said when it was written: any script, any number, any depth (7).
            payloads_come_back_as_they_were
            /// A payload of a megabyte comes back whole (7).
            a_megabyte_comes_back_whole
            /// A null character in a payload or in metadata is kept, or refused with nothing stored; never altered (7).
            a_null_character_is_kept_or_refused
        }
        names {
            /// Ids with quotes, percent signs, newlines, 255 bytes or emoji name streams like all others (1).
            strange_ids_name_streams
            /// Streams are told apart byte by byte: case, blanks, wildcards and forms of Unicode matter (1).
            streams_are_told_apart_byte_by_byte
            /// An id that is empty, over-long or has a null character is refused, and nothing is stored (1).
            ids_that_cannot_be_kept_are_refused
            /// A stored name that is empty, over-long or has a null character is refused, and nothing is stored (1).
            event_names_that_cannot_be_kept_are_refused
        }
        streams {
            /// A range of versions is read, forwards, with both its ends (7, 8).
            a_range_of_versions_is_read
            /// A range of versions is read backwards (7).
            a_range_is_read_backwards
            /// Pages of any size lose nothing and repeat nothing, and `more` is true just while there is more (7).
            pages_lose_and_repeat_nothing
            /// A stream without events, and a range beyond the end or turned round, is an empty page (7).
            what_is_not_there_is_an_empty_page
            /// An event is the same in its stream and in the log (9).
            an_event_is_the_same_in_stream_and_log
        }
        log {
            /// The first event of a virgin store is read by a reader who was there before it (9).
            the_first_event_of_a_virgin_store_is_read
            /// The log has each event once, at rising positions, and each stream in its own order (9).
            the_log_has_each_event_once_in_order
            /// The log is read after any position, in pages of any size, without loss or repeat (9).
            the_log_is_read_after_any_position
            /// The log is filtered by stored names, by categories and by both, each exactly (9).
            the_log_is_filtered_by_names_and_categories
            /// The log is filtered by streams, alone and beside names and categories, from any position (9).
            the_log_is_filtered_by_streams
            /// `reached` moves on past what does not match, so that readers of rare events come on too (9).
            reached_moves_on_past_what_does_not_match
            /// A reader ahead of the log gets an error, not a silent wait (9).
            a_reader_ahead_of_the_log_gets_an_error
        }
        tail {
            /// What is at or below a head that was told is all there: no event appears there later (9).
            nothing_appears_below_a_head
            /// Readers who follow the tail under a storm of appends see each event once, in order, and pass none (9).
            readers_at_the_tail_pass_nothing
            /// A wait ends when events come, and at once when they are there (9).
            a_wait_ends_when_events_come
            /// No append falls between a reader's look and its wait (9).
            no_append_falls_between_look_and_wait
        }
    } };
    (snapshots [$($callback:tt)+] $($argument:tt)*) => { $($callback)+! {
        [$($argument)*] [SnapshotStore]
        snapshots {
            /// A snapshot comes back as it was saved, of a megabyte and of a version beyond 32 bits too (7).
            a_snapshot_comes_back_as_it_was_saved
            /// A stream without snapshots has none (7).
            a_stream_without_snapshots_has_none
            /// The snapshot that was saved last counts, also where it is of a lower version (7).
            the_snapshot_saved_last_counts
            /// Snapshots of other streams and other snapshot versions stay apart (7).
            snapshots_stay_apart
        }
    } };
    (aggregates [$($callback:tt)+] $($argument:tt)*) => { $($callback)+! {
        [$($argument)*] [EventsAndSnapshots]
        commands {
            /// A command's events are stored at the version that it was decided on, and its receipt names them (1).
            a_command_stores_what_was_decided
            /// After a conflict, a command is decided again on the new state (1).
            a_command_is_decided_again_after_a_conflict
            /// A command that is not retried, or expects a version, is told the conflict with both versions (1).
            a_conflict_that_is_not_retried_is_told
            /// Commands that meet on one aggregate are decided one after the other, and each has its effect once (1).
            commands_that_meet_all_count
            /// A command that leads to no event stores none, and its receipt names the stream's present head (5).
            a_command_without_events_is_a_success
            /// An id that cannot name a stream is refused before anything is written (1).
            a_command_with_an_impossible_id_is_refused
        }
        once {
            /// A command sent again under its key is answered with the first receipt and not done again (3).
            a_command_sent_again_is_not_done_again
            /// Many dispatches of one command under one key at once have one effect and one receipt (3).
            a_raced_command_is_done_once
            /// A command outrun by its twin under one key is answered with the twin's receipt, not refused (3).
            a_command_that_its_twin_outran_is_answered
            /// A command that led to no event is not decided again under its key (3, 5).
            a_command_without_events_keeps_its_key
            /// Another command, or another content, under a key in use is refused (3).
            a_key_of_another_command_is_refused
            /// A refusal is not remembered under a key (3).
            a_refusal_is_not_remembered
            /// Under a key that has expired, a command is done again (3).
            under_an_expired_key_a_command_is_done_again
            /// A lost answer is found out by the ids of the events; of too many, the caller is told, and the key tells later (3, 4).
            an_unknown_outcome_is_told_and_found_out
        }
        aggregates {
            /// Correlation, causation, user, instant and headers of a command are stored with each of its events (6).
            events_carry_what_caused_them
            /// A stream is folded across pages, and from snapshots at their edges (7).
            a_long_stream_is_folded_across_pages
            /// The state at a version is the fold of the stream up to it; a version not reached is an error (8).
            a_state_is_told_as_of_a_version
            /// The state as of an instant is the fold of the longest beginning of the stream stored by then (8).
            a_state_is_told_as_of_an_instant
        }
        states {
            /// State equals snapshot and tail equals full fold, for each snapshot at each version (7).
            snapshot_and_tail_equal_the_full_fold
            /// A snapshot and the events from its last on, asked for in one go, are what they are apart (7).
            a_snapshot_and_its_page_are_what_they_are_apart
            /// Snapshots fall due by the aggregate's policy, and do not change what is loaded (7).
            snapshots_are_taken_by_policy
            /// A snapshot that cannot be read counts as none, and is overwritten later (7).
            a_broken_snapshot_counts_as_none
            /// A snapshot ahead of its stream counts as none, and is overwritten later (7).
            a_snapshot_ahead_of_its_stream_counts_as_none
            /// A snapshot of another history, by its event's id, counts as none (7).
            a_snapshot_of_another_history_counts_as_none
            /// A snapshot of another version of the state's shape counts as none (7).
            a_snapshot_of_another_version_counts_as_none
            /// A snapshot of another shape of the state, by its fingerprint, counts as none (7).
            a_snapshot_of_another_shape_counts_as_none
            /// A snapshot that cannot be kept fails no command (7).
            a_snapshot_that_cannot_be_kept_fails_no_command
        }
        unreadable {
            /// An event that the aggregate does not list stops its load, with name, version and position (10).
            an_unknown_event_stops_the_load
            /// An event that the aggregate ignores by name is passed over, and still counts in the version (2, 10).
            an_ignored_event_counts_in_the_version
            /// An event whose content cannot be read stops its load, with name, version, position and cause (10).
            an_unreadable_event_stops_the_load
            /// An event of an unknown version of its shape stops its load, with that version (10).
            an_event_of_an_unknown_version_stops_the_load
        }
    } };
    (units [$($callback:tt)+] $($argument:tt)*) => { $($callback)+! {
        [$($argument)*] [UnitOfWorkStore]
        units {
            /// Events, rows, checkpoint, outgoing commands and deadlines of a unit of work are all done (11, 17).
            a_unit_of_work_is_done_whole
            /// Events of old versions and names in a unit of work come back as they were, nothing of them rewritten (10, 11).
            a_unit_keeps_old_versions_as_they_were
            /// A conflict undoes all of a unit of work (1, 11).
            a_conflict_undoes_all
            /// A key in use undoes all of a unit of work (3, 11).
            a_key_in_use_undoes_all
            /// A stale lease undoes all of a unit of work, and `write_rows` likewise (11, 13).
            a_stale_lease_undoes_all
            /// Under one epoch a checkpoint never moves back, and nothing of what would move it is done (11, 13).
            a_checkpoint_never_moves_back_under_one_epoch
            /// A unit of work sent again with the same event ids is answered, and nothing of it is done again (4).
            a_unit_sent_again_is_not_done_again
            /// A unit of nothing is a success (5).
            a_unit_of_nothing_is_a_success
            /// Rows are found by their keys, paged in their order, replaced and deleted (11).
            rows_are_kept_by_model_and_key
            /// Outgoing commands wait in their order, each key once, until they are answered (17).
            outgoing_commands_wait_until_answered
            /// Deadlines are due at their instant, the earliest first; they move and are cancelled (17).
            deadlines_are_due_in_order
        }
        leases {
            /// A lease has one owner, who may renew it; leases of other names, versions and shards are others (13).
            a_lease_has_one_owner
            /// Of many who claim a lease at once, one gets it (13).
            a_raced_lease_has_one_owner
            /// A lease that has run out passes on, and its epoch rises, to an owner of the same name too (13).
            a_takeover_raises_the_epoch
            /// A released lease writes no more, and passes on at once with a new epoch, to the same owner's name too (13).
            a_released_lease_passes_on_at_once
            /// A lease that has passed on is not released by its former owner (13).
            a_lease_that_has_passed_on_stays
            /// Leases are listed by the beginnings of their names, with owner and epoch: those held and those run out (13).
            leases_tell_their_owners
            /// A writer whose lease passes on while it writes has written before that or not at all (13).
            a_lease_lost_while_writing_stops_the_writer
        }
        generations {
            /// A generation is built beside the rows that answer, and takes their place in one step (14).
            a_generation_is_built_beside_the_one_that_answers
            /// Only whoever builds a generation lets it take over, and only the one that is built (13, 14).
            a_generation_takes_over_under_its_builders_lease
            /// A generation that is behind the rows that answer does not take over, unless those are ahead of the log (14, 16).
            a_generation_takes_over_when_it_has_come_as_far
            /// A generation that is dropped leaves neither rows nor checkpoint nor parked events; one that answers stays (14).
            a_generation_that_is_dropped_leaves_nothing
            /// Only whoever has the lease begins a generation, which empties what was built, or drops it (13, 14).
            a_generation_is_begun_and_dropped_under_a_lease
            /// Rows that were built without a column that is kept never answer: whoever knows it builds them anew (14).
            a_generation_takes_over_with_all_columns
            /// A pause is kept by version, for all processes, until it is taken back, whatever is rebuilt (14).
            a_pause_is_kept_for_all
        }
        scratch {
            /// Rows that are not to be kept are read for as long as their lease is held; nothing that is kept tells of them (14).
            scratch_rows_are_beside_all_that_is_kept
            /// Rows that are not to be kept are dropped, with all that is theirs, once nobody holds their lease (13, 14).
            scratch_rows_go_with_their_lease
        }
        shards {
            /// A reader has one shard until somebody says another number, which is kept for all its generations (13).
            a_reader_has_one_shard_until_it_is_divided
            /// New shards begin where the first of their slices is, and tell which slices are further on (11, 13).
            new_shards_begin_where_their_slices_are
            /// Once a reader is divided, whoever had one of its leases writes no more, in shards that are no more too (13).
            a_division_gives_all_leases_up
            /// What was written before a division is counted, and nothing is written after it, however they meet (11, 13).
            a_division_beside_writers_counts_what_they_wrote
            /// A generation that takes over has as many shards as the one before, and waits for the furthest (13, 14).
            a_generation_takes_over_with_all_shards
        }
    } };
    (inspection [$($callback:tt)+] $($argument:tt)*) => { $($callback)+! {
        [$($argument)*] [InspectedStore]
        inspected {
            /// Streams are listed once each in the order of their names, page by page, with their lengths.
            streams_are_listed_in_order
            /// The streams that have grown most since a position come first.
            streams_that_grew_most_come_first
            /// A look for gaps goes through all streams, page by page, and finds whole ones whole.
            a_look_for_gaps_goes_through_all_streams
            /// Readers are listed with their checkpoints and with who holds their leases, those that were given up included.
            readers_are_listed_with_their_owners
            /// Parked events are listed by their keys: the first that failed, and how many there are.
            parked_events_are_listed_by_key
            /// Snapshots are listed in order, page by page; of those dropped, the highest versions stay.
            surplus_snapshots_are_dropped
            /// Snapshots that are old enough are dropped, and no others.
            old_snapshots_are_dropped
            /// What takes room is named.
            what_takes_room_is_named
        }
    } };
}
