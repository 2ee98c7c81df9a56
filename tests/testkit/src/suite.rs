//! The list of scenarios, and the checks of a run: its golden trace, its expectations, and the core alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use similar::{ChangeTag, TextDiff};

use crate::alone;
use crate::run::Run;
use crate::scenario::Scenario;

/// Set to record the golden traces again, with the core alone.
const BLESS: &str = "GATEWAY_BLESS";

/// Every scenario.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    crate::suite!(@list @all ())
}

/// Runs a scenario on a driver and checks the run.
///
/// # Panics
/// If an invariant is broken, an expectation is not met, the trace differs from the golden one, or the wire
/// or the application saw something else than with the core alone.
pub fn judge(name: &str, run: impl FnOnce(&Scenario) -> Run) {
    let scenario = scenarios().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.expect("the list has the name");
    let seen = run(&scenario);
    let alone = alone::run(&scenario);
    let mut faults = String::new();
    let mut fault = |what: &str| {
        let _ = writeln!(faults, "- {what}"); // writing to a String cannot fail
    };
    if let Some(violation) = &seen.violation {
        fault(&format!("an invariant does not hold: {violation}"));
    }
    if scenario.sees.is_empty() {
        fault("nothing must be seen: a scenario that cannot fail is none");
    }
    for see in &scenario.sees {
        if let Err(what) = see.check(&scenario, &seen) {
            fault(&what);
        }
    }
    compare("the trace is not that of the core alone", &alone.trace, &seen.trace, &mut fault);
    compare("the peers saw something else", &alone.wire, &seen.wire, &mut fault);
    let (expected, diary) = (&alone.diary, &seen.diary);
    compare("the application saw something else", &expected.lines, &diary.lines, &mut fault);
    compare("other outcomes of messages", &expected.sends, &diary.sends, &mut fault);
    if alone.statistics != seen.statistics {
        fault(&format!("counted\n    {:?}\n    {:?}", alone.statistics, seen.statistics));
    }
    if let Err(what) = check_golden(name, &alone.trace) {
        fault(&what);
    }
    assert!(
        faults.is_empty(),
        "{name}: {}\n{faults}\nthe trace:\n{}",
        scenario.about,
        seen.trace.join("\n")
    );
}

/// The golden trace of a scenario.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.trace"))
}

fn check_golden(name: &str, trace: &[String]) -> Result<(), String> {
    let path = golden(name);
    let seen = trace.join("\n") + "\n";
    if env::var_os(BLESS).is_some() {
        return fs::write(&path, seen).map_err(|error| format!("{}: {error}", path.display()));
    }
    let Ok(expected) = fs::read_to_string(&path) else {
        return Err(format!("there is no golden trace yet: record it with {BLESS}=1"));
    };
    if expected == seen {
        return Ok(());
    }
    let diff = difference(&expected, &seen);
    Err(format!("the golden trace is another; if this is meant, record it with {BLESS}=1\n{diff}"))
}

fn compare(what: &str, expected: &[String], seen: &[String], fault: &mut impl FnMut(&str)) {
    if expected != seen {
        fault(&format!("{what}\n{}", difference(&expected.join("\n"), &seen.join("\n"))));
    }
}

fn difference(expected: &str, seen: &str) -> String {
    let diff = TextDiff::from_lines(expected, seen);
    let mut shown = String::new();
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        let _ = writeln!(shown, "    {sign} {}", change.value().trim_end());
    }
    shown
}

/// Makes one test of each scenario, run by a harness: a function from `&Scenario` to [`Run`](crate::Run).
///
/// ```
/// gateway_testkit::suite!(run = gateway_testkit::alone::run);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! suite {
    (run = $run:path) => {
        $crate::suite! { @list @tests ($run) }
    };
    (@tests ($run:path) $($topic:ident { $($name:ident)* })*) => {
        $(
            mod $topic {
                #[allow(unused_imports, reason = "the harness may be named by a whole path")]
                use super::*;
                $(
                    #[test]
                    fn $name() {
                        $crate::judge(stringify!($name), $run);
                    }
                )*
            }
        )*
    };
    (@all () $($topic:ident { $($name:ident)* })*) => {
        vec![
            $($($crate::Scenario { name: stringify!($name), ..$crate::scenarios::$topic::$name() },)*)*
        ]
    };
    (@list @$what:ident $arguments:tt) => {
        $crate::suite! { @$what $arguments
            backoff {
                accept_then_drop_keeps_growing_the_delay
                a_server_that_closes_at_login_is_no_success_of_the_open
                a_session_shorter_than_stable_after_counts_as_a_failure
                hours_of_health_start_from_the_first_delay_again
                stable_is_no_less_than_the_delay_before
                delays_are_jittered_by_default
                another_seed_draws_other_delays
                the_first_retry_waits_as_well
                an_error_and_a_close_are_one_loss
                many_requests_make_one_connection
                connect_while_waiting_opens_at_once_and_keeps_the_count
                the_delay_stops_at_its_maximum
                a_smooth_jitter_has_no_heap_at_the_maximum
                equal_jitter_keeps_its_bounds
                attempts_are_spent_at_their_bound
                no_attempts_means_no_retry
            }
            stale {
                what_an_old_socket_still_says_does_not_touch_the_new_one
                a_pong_of_the_old_socket_does_not_keep_the_new_one_alive
                the_connect_deadline_does_not_close_the_socket_that_opened
                a_deadline_of_the_first_attempt_does_not_close_the_second
                connect_by_hand_works_after_every_end
                close_while_waiting_cancels_the_retry_at_once
                close_while_connecting_drops_the_attempt_at_once
                the_heartbeat_starts_anew_on_each_socket
                a_ping_unanswered_at_the_loss_is_no_timeout_of_the_new_socket
                a_close_in_the_same_read_as_the_upgrade_is_retried
            }
            connecting {
                a_connect_without_an_answer_ends_at_its_deadline_on_every_attempt
                a_stall_in_the_upgrade_ends_at_the_connect_deadline
                an_answer_that_trickles_does_not_put_the_deadline_off
                an_answer_after_the_deadline_opens_nothing
                every_failure_of_the_network_is_retried
                no_http_and_no_upgrade_are_told_apart_and_retried
                an_answer_other_than_101_leaves_nothing_wedged
                settings_that_cannot_work_are_given_up
                a_message_in_the_same_read_as_the_upgrade_is_delivered
            }
            heartbeat {
                a_half_open_peer_is_found_dead_by_default
                our_own_sends_do_not_put_off_the_ping_or_the_death
                a_dead_peer_is_left_without_a_close_and_retried
                a_timeout_as_long_as_the_interval_still_fires
                bulk_data_proves_life_while_the_pong_waits_behind_it
                pieces_of_one_long_message_prove_life
                an_idle_peer_that_answers_is_kept
                pings_keep_their_interval_whatever_comes_in
                a_feed_that_stops_while_pongs_come_is_lost
                a_round_trip_is_known_where_the_pong_echoes_or_one_ping_is_out
                a_late_pong_with_a_wrong_stamp_gives_no_round_trip
                websocket_pings_keep_a_connection_as_well
                a_peer_that_answers_no_websocket_ping_is_dead
                a_peer_that_answers_no_json_ping_is_dead
                in_strict_mode_only_a_pong_is_life
                a_websocket_pong_is_an_answer_only_to_the_letter
                without_a_heartbeat_nothing_is_asked_and_nobody_dies
                a_fleet_may_spread_its_first_pings
                the_peers_own_ping_is_answered_where_that_is_wanted
                the_peers_own_ping_is_a_message_by_default
                pongs_are_taken_out_of_the_stream_and_only_those_awaited
                pongs_are_delivered_where_that_is_wanted
                first_ping_leaves_one_interval_after_ready
                the_default_heartbeat_is_a_ping_frame_and_no_message
                a_json_heartbeat_is_a_text_where_it_is_set
                a_pong_that_names_an_older_ping_answers_it_and_those_before_it
                a_json_pong_that_names_an_older_ping_answers_it_and_those_before_it
                the_last_four_pings_are_remembered
                a_pong_with_the_servers_own_clock_is_life
            }
            handover {
                a_long_upload_on_a_slow_link_is_not_death
                a_peer_that_is_silent_after_an_upload_is_dead_once_a_slow_link_has_had_its_time
                a_faster_slowest_link_gives_an_upload_less_time
                the_time_for_an_upload_is_bounded
                a_pong_proves_the_upload_before_its_ping
                a_ping_behind_a_long_upload_waits_its_turn_and_is_judged_from_its_hand_over
                a_peer_that_is_silent_after_a_hand_over_is_dead_by_its_timeout
                a_peer_that_stops_reading_is_dead_by_write_stall
                a_peer_that_takes_a_byte_now_and_then_is_dead_in_the_end
                a_slow_peer_that_takes_an_upload_and_speaks_is_kept
                no_ping_is_queued_behind_one_that_is_held
                a_ping_that_is_answered_counts_as_handed_over
            }
            paused {
                pings_go_out_while_the_application_does_not_read
                judgements_restart_in_full_when_reading_resumes
                what_came_while_reading_was_paused_is_a_sign_of_life_after_the_resume
                the_watch_over_data_waits_while_the_application_does_not_read
                a_write_stall_is_judged_only_after_reading_resumes
                a_login_is_read_while_the_application_takes_no_messages
            }
            abort {
                a_dead_peer_is_aborted_and_its_messages_are_rejected_or_maybe_sent
                an_aborted_socket_is_never_one_that_was_closed
                a_close_behind_a_held_ping_is_never_aborted
                a_suspend_while_closing_aborts_nothing
                a_peer_that_is_alive_is_left_with_a_close_and_not_aborted
                a_suspend_while_connecting_aborts_that_socket
                a_suspend_while_logging_in_aborts_that_socket
            }
            suspend {
                a_zombie_socket_is_probed_after_sleep_and_found_dead
                a_socket_that_survived_sleep_is_kept
                an_attempt_that_sleep_has_overtaken_starts_anew
                a_login_that_sleep_has_overtaken_starts_anew
                a_wait_that_ends_with_the_sleep_is_over
                a_wall_clock_that_is_set_back_or_a_little_ahead_is_no_sleep
                jumps_are_acted_on_once_in_half_a_minute
                without_a_heartbeat_sleep_leaves_the_socket_alone
                a_network_that_is_back_is_tried_at_once
                a_flapping_network_makes_no_storm
                offline_stops_no_attempt
                a_stall_of_our_own_kills_no_live_peer_and_makes_no_burst
                silence_that_nobody_asked_to_break_is_no_death_after_a_stall
                a_socket_that_opened_and_spoke_in_a_stall_is_used
                a_suspend_while_a_ping_is_held_makes_it_the_probe
                a_held_probe_that_is_answered_keeps_the_socket
                a_probe_leaves_while_reading_is_paused_and_is_judged_after_the_resume
                a_clock_that_is_set_back_is_no_suspend
                a_clock_that_is_29_seconds_ahead_is_no_suspend
                a_clock_that_is_a_day_ahead_makes_one_probe
                a_clock_that_goes_back_and_ahead_again_makes_one_probe
            }
            login {
                the_login_is_the_first_frame_and_no_ping_comes_before_its_answer
                a_refused_login_gets_new_credentials_once_and_is_then_fatal
                a_refusal_that_a_close_1013_follows_passes
                a_close_that_says_nothing_of_a_refusal_leaves_its_verdict
                a_socket_that_ends_after_a_refusal_ends_by_the_refusal
                a_breach_after_a_refusal_ends_by_the_refusal
                a_code_of_the_users_policy_softens_a_refusal
                a_close_never_makes_a_refusal_harsher
                each_refusal_has_a_verdict_of_its_own
                after_a_refusal_nothing_is_sent_and_all_that_comes_is_delivered
                close_wins_over_a_refused_login
                a_suspend_ends_the_wait_of_a_refused_login
                refreshed_credentials_that_work_are_kept_and_a_stable_session_earns_another_refresh
                a_refresh_that_reached_no_server_is_asked_for_again
                a_login_without_an_answer_ends_at_its_deadline
                a_storm_of_data_does_not_starve_the_login
                a_socket_lost_while_logging_in_makes_the_delay_grow
                where_any_answer_accepts_the_first_text_does_and_is_delivered
                an_embedders_own_login_may_speak_before_it_is_accepted
                an_embedders_refusal_says_itself_what_follows
                an_embedder_may_refuse_a_login_that_was_accepted
                a_login_verdict_that_comes_late_changes_nothing
            }
            policy {
                a_code_that_is_set_fatal_ends_it
                an_unknown_private_code_is_retried
                http_401_gets_new_credentials_once_and_is_then_fatal
                http_statuses_that_pass_are_retried
                http_404_and_a_redirect_are_fatal
                what_1008_means_is_for_the_user_to_say
                codes_that_accuse_us_are_fatal
                codes_of_servers_that_come_back_are_retried
                retry_after_is_heeded_and_spread
                retry_after_may_be_a_date
                an_absurd_retry_after_is_clamped
                http_429_without_a_header_backs_off
                a_least_delay_of_the_policy_is_kept_and_spread
                the_narrower_of_two_rules_decides
                a_1014_is_judged_by_its_own_rule
                online_does_not_undercut_a_retry_after
                online_shortens_a_delay_to_its_least
                online_after_the_least_delay_opens_at_once
                a_suspend_shortens_a_least_delay
            }
            closing {
                a_close_is_answered_and_closed
                a_close_without_an_answer_ends_at_its_deadline
                connect_while_closing_does_not_wait_for_the_old_socket
                a_peer_that_hangs_up_in_place_of_answering_is_as_well
                closes_that_cross_end_it_once
                the_peers_own_ping_after_our_close_is_neither_answered_nor_delivered
                messages_are_delivered_until_the_peers_close
                the_pong_of_a_ping_before_the_close_is_still_ours
                nothing_is_sent_after_our_close
                close_in_the_middle_of_a_login_is_a_close
                a_client_that_is_dropped_aborts
                a_zombie_that_is_closed_and_wanted_again_neither_panics_nor_stays
                every_code_that_may_be_sent_is_sent_as_it_is
            }
            messages {
                a_message_sent_while_away_is_refused_and_not_lost
                nothing_is_flushed_before_the_login
                no_old_message_bursts_out_after_a_reconnect
                echoes_come_back_in_order
                several_frames_in_one_read_are_several_messages
                a_message_in_pieces_is_delivered_once_and_whole
                a_fragmented_message_with_a_ping_inside_is_one_message
                what_came_before_the_loss_is_delivered
            }
            protocol {
                text_that_is_no_utf8_is_failed_with_1007
                a_message_over_the_limit_is_failed_with_1009
                reserved_bits_are_failed_with_1002
                a_masked_frame_is_failed_with_1002
                an_unknown_opcode_is_failed_with_1002
                a_continuation_of_nothing_is_failed_with_1002
                a_control_frame_in_fragments_is_failed_with_1002
                a_close_code_that_may_not_be_sent_is_a_breach_and_not_its_meaning
                a_close_1002_is_the_peers_whatever_its_reason_says
                messages_before_the_breach_are_delivered_and_none_behind_it
                a_peer_that_breaks_the_protocol_each_time_is_backed_off_from
                a_stream_that_ends_in_the_middle_of_a_frame_is_lost_and_no_breach
                a_ping_frame_is_answered_with_its_payload_and_once
                a_close_of_the_peers_is_answered_once
            }
            replaced {
                a_reconnect_leaves_a_ready_socket_with_a_close_and_opens_the_next
                reconnects_open_no_closer_than_the_initial_delay
                a_reconnect_drops_an_attempt_and_begins_another
                a_reconnect_while_waiting_opens_at_once_and_keeps_the_count
                a_reconnect_does_not_undercut_a_least_delay
                a_reconnect_keeps_a_refresh_that_no_server_has_judged
                a_reconnect_in_a_login_begins_another
                a_reconnect_ends_the_wait_of_a_refused_login_by_its_verdict
                a_reconnect_while_closing_is_ignored_and_when_closed_connects
                a_connection_is_renewed_up_to_a_tenth_early
                a_renewal_waits_until_the_peer_has_read_what_was_sent
                a_renewal_waits_no_longer_than_the_close_timeout
                a_peer_that_is_found_dead_first_is_not_renewed
            }
            reported {
                too_many_requests_then_a_drop_and_a_dead_peer
                a_drop_and_a_login_that_is_refused_from_then_on
                a_date_a_sleep_hints_and_a_peer_that_is_silent_at_the_end
                logins_that_are_refused_with_each_verdict
            }
            pressure {
                a_full_write_buffer_refuses_and_takes_again_when_it_has_drained
                a_write_buffer_that_is_filled_to_the_mark_is_not_full
                a_message_larger_than_the_buffer_passes_where_the_peer_reads
                a_partial_write_is_carried_on
                what_was_not_written_when_the_socket_died_is_rejected_and_what_was_begun_is_maybe_sent
                a_new_socket_is_not_blocked_by_what_waited_on_the_old_one
                a_peer_that_reads_nothing_is_found_dead_although_we_write
                a_peer_that_reads_nothing_and_speaks_is_kept
                a_close_behind_a_full_buffer_ends_at_its_deadline
                a_close_behind_a_full_buffer_goes_out_once_the_peer_reads
                a_peer_that_closes_over_a_full_buffer_gets_no_answer_and_is_left
                pongs_wait_their_turn_behind_what_is_not_read
                a_buffering_transport_that_dies_before_its_flush_makes_maybe_sent
                a_write_that_fails_on_a_buffering_transport_may_have_left
                a_buffering_transport_frees_the_buffer_only_with_its_flush
                a_login_that_the_peer_does_not_read_ends_at_its_deadline
                connect_while_a_close_waits_behind_a_full_buffer_leaves_it_at_once
                what_waits_is_written_before_what_came_meanwhile_is_read
                a_buffering_transport_that_is_left_may_have_sent_what_it_took
            }
        }
    };
}
