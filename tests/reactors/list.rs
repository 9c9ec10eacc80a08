// The rules that each store is held against.
rules! {
    rules {
        calls_for_one_key_go_in_order_and_those_for_others_go_on
        a_call_that_fails_is_made_again_and_then_waits_for_a_person
        a_call_that_panics_waits_like_one_that_fails
        what_waits_can_be_dropped
        a_call_that_was_cut_off_is_made_again_under_the_same_key
        the_past_is_nothing_to_react_to_unless_it_asks
        the_commands_of_a_call_go_out_once
        each_command_of_a_call_is_done
        a_command_that_is_refused_waits_for_a_person
        a_command_that_was_dropped_stays_so_when_its_call_is_made_again
        two_engines_share_the_work
    }
    shards {
        shards_call_each_key_in_its_order_while_their_number_changes
        engines_share_the_shards
        what_waits_is_for_the_shard_that_has_its_key_then
    }
}
