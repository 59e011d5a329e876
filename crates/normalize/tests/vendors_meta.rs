//! Meta webhooks: what each shape that the vendor documents becomes.

mod vendors_common;

use throughline_model::{SourceKind, TouchpointType};
use vendors_common::{Header, Names, check, entries, entries_with};

fn feed(value: &str) -> String {
    format!(
        r#"{{"object":"page","entry":[{{"id":"77","time":1700000100,"changes":[{{"field":"feed","value":{value}}}]}}]}}"#
    )
}

fn messenger(members: &str) -> String {
    format!(
        r#"{{"object":"page","entry":[{{"id":77,"time":1700000100500,"messaging":[
           {{"sender":{{"id":"501"}},"recipient":{{"id":"77"}},"timestamp":1700000100000,{members}}}]}}]}}"#
    )
}

fn social(text: &str, expected: &[&str]) {
    check(&entries(SourceKind::Social, text), expected);
}

#[test]
fn comments_of_customers_are_received_and_those_of_the_page_are_sent() {
    let by = |who: &str, parent: &str, verb: &str| {
        feed(&format!(
            r#"{{"item":"comment","verb":"{verb}","comment_id":"9_5","post_id":"77_9","parent_id":"{parent}",
                "from":{{"id":{who},"name":"N"}},"created_time":1700000000,"message":"late again","extra":{{"x":[1]}}}}"#
        ))
    };
    social(
        &by("501", "77_9", "add"),
        &[
            r#"message.received social id=9_5 at=1700000000000 rev=1700000000000 handle!facebook:77:501 conversation_id=77_9 post_id=77_9 parent_id=77_9 public text="late again""#,
        ],
    );
    social(
        &by("501", "77_9", "edited"),
        &[
            r#"message.received social update id=9_5 at=1700000000000 rev=1700000100000 handle!facebook:77:501 conversation_id=77_9 post_id=77_9 parent_id=77_9 public text="late again""#,
        ],
    );
    social(
        &by("501", "77_9", "remove"),
        &[
            r#"message.received social remove id=9_5 at=1700000000000 rev=1700000100000 handle!facebook:77:501 conversation_id=77_9 post_id=77_9 parent_id=77_9 public text="late again""#,
        ],
    );
    social(&by("501", "77_9", "hide"), &["withheld filtered hide"]);
    social(
        &by("77", "77_9", "add"),
        &[
            r#"message.sent social id=9_5 at=1700000000000 rev=1700000000000 conversation_id=77_9 post_id=77_9 parent_id=77_9 public"#,
        ],
    );
    social(
        &by("\"77\"", "9_4", "add"),
        &[
            r#"response.sent social id=9_5 at=1700000000000 rev=1700000000000 conversation_id=77_9 post_id=77_9 parent_id=9_4 public"#,
        ],
    );
}

#[test]
fn posts_of_others_are_published_and_those_of_the_page_are_sent() {
    social(
        &feed(
            r#"{"item":"status","verb":"add","post_id":"77_1","from":{"id":"501"},"published":1,"message":"love it"}"#,
        ),
        &[
            r#"post.published social id=77_1 at=1700000100000 rev=1700000100000 handle!facebook:77:501 post_id=77_1 conversation_id=77_1 public text="love it""#,
        ],
    );
    social(
        &feed(
            r#"{"item":"photo","verb":"add","photo_id":12,"sender_id":501,"created_time":"1700000000","message":null}"#,
        ),
        &[
            r#"post.published social id=12 at=1700000000000 rev=1700000000000 handle!facebook:77:501 post_id=12 conversation_id=12 public"#,
        ],
    );
    social(
        &feed(r#"{"item":"video","verb":"edit","post_id":"77_1","from":{"id":77},"is_hidden":true,"message":"ours"}"#),
        &[r#"message.sent social update id=77_1 at=1700000100000 rev=1700000100000 post_id=77_1 conversation_id=77_1"#],
    );
    social(&feed(r#"{"item":"video","verb":"mute","video_id":"3"}"#), &["withheld filtered mute"]);
    social(&feed(r#"{"item":"event","verb":"add","event_id":"3","story":"s"}"#), &["withheld unmapped event"]);
}

#[test]
fn reactions_are_named_by_post_comment_and_author() {
    social(
        &feed(
            r#"{"item":"reaction","verb":"remove","post_id":"77_1","comment_id":"1_2","sender_id":"501","reaction_type":"wow","created_time":1700000000}"#,
        ),
        &[
            r#"reaction.changed social remove id=77_1/1_2/501 at=1700000000000 rev=1700000100000 handle!facebook:77:501 post_id=77_1 parent_id=1_2 public"#,
        ],
    );
    social(
        &feed(r#"{"item":"like","verb":"add","user_id":501}"#),
        &[
            r#"reaction.changed social id=77//501 at=1700000100000 rev=1700000100000 handle!facebook:77:501 post_id=77 public"#,
        ],
    );
    social(&feed(r#"{"item":"like","verb":"add","post_id":"77_1","sender_id":77}"#), &["withheld filtered like"]);
}

#[test]
fn messages_echoes_and_postbacks_are_of_one_conversation() {
    social(
        &messenger(
            r#""message":{"mid":"m1","seq":3,"text":"hello","quick_reply":{"payload":"P"},"reply_to":{"mid":"m0"}}"#,
        ),
        &[
            r#"message.received social id=m1 at=1700000100000 rev=1700000100000 handle!facebook:77:501 conversation_id=facebook:77:501 parent_id=m0 text="hello""#,
        ],
    );
    let echo = r#"{"object":"page","entry":[{"id":"77","time":1700000100500,"standby":[{"sender":{"id":77},"recipient":{"id":501},
        "timestamp":1700000100000,"message":{"is_echo":true,"app_id":9,"mid":"m2","text":"hi"}}]}]}"#;
    social(
        echo,
        &[
            r#"response.sent social id=m2 at=1700000100000 rev=1700000100000 handle!facebook:77:501 conversation_id=facebook:77:501"#,
        ],
    );
    social(
        &messenger(r#""postback":{"mid":"m3","title":"Track order","payload":"TRACK"}"#),
        &[
            r#"message.received social bot id=m3 at=1700000100000 rev=1700000100000 handle!facebook:77:501 conversation_id=facebook:77:501 text="Track order""#,
        ],
    );
    social(
        &messenger(r#""message_edit":{"mid":"m1","text":"hello!","num_edit":"2"}"#),
        &[
            r#"message.received social update id=m1 at=1700000100000 rev=1700000100500 handle!facebook:77:501 conversation_id=facebook:77:501 text="hello!""#,
        ],
    );
    social(
        &messenger(r#""message":{"mid":"m1","is_deleted":true}"#),
        &[
            r#"message.received social remove id=m1 at=1700000100000 rev=1700000100500 handle!facebook:77:501 conversation_id=facebook:77:501"#,
        ],
    );
    social(
        &messenger(r#""reaction":{"mid":"m2","action":"unreact"}"#),
        &[
            r#"reaction.changed social remove id=m2//501 at=1700000100000 rev=1700000100500 handle!facebook:77:501 conversation_id=facebook:77:501 post_id=m2"#,
        ],
    );
    // Some fixtures put the page where the customer belongs; the page never becomes a customer.
    social(
        &messenger(r#""message":{"mid":"m4","is_echo":true,"text":"hi"}"#),
        &[
            r#"response.sent social id=m4 at=1700000100000 rev=1700000100000 handle!facebook:77:501 conversation_id=facebook:77:501"#,
        ],
    );
}

#[test]
fn labels_of_built_in_language_processing_are_the_sentiment_of_the_source() {
    social(
        &messenger(
            r#""message":{"mid":"m1","text":"awful, write to me@x.example","nlp":{"entities":{
                "wit$email:email":[{"value":"me@x.example","confidence":0.9}],"phone_number":[{"value":"+4917012345"}]},
                "traits":{"wit$sentiment":[{"value":"negative","confidence":0.75},{"value":"neutral","confidence":0.2}]},
                "detected_locales":[{"locale":"en_XX","confidence":0.8}]}}"#,
        ),
        &[
            r#"message.received social id=m1 at=1700000100000 rev=1700000100000 handle!facebook:77:501 email?me@x.example phone?+4917012345 conversation_id=facebook:77:501 sentiment=-0.75/-1..1 lang=en labeled text="awful, write to me@x.example""#,
        ],
    );
    social(
        &messenger(r#""message":{"mid":"m1","text":"x","nlp":{"entities":[],"errors":[{"code":"msg-invalid"}]}}"#),
        &[
            r#"message.received social id=m1 at=1700000100000 rev=1700000100000 handle!facebook:77:501 conversation_id=facebook:77:501 text="x""#,
        ],
    );
}

#[test]
fn notices_are_filtered_and_unknown_kinds_are_unmapped() {
    for (members, name) in [
        (r#""delivery":{"mids":["m1"],"watermark":1}"#, "delivery"),
        (r#""read":{"watermark":1}"#, "read"),
        (r#""optin":{"ref":"R"}"#, "optin"),
        (r#""referral":{"ref":"R"}"#, "referral"),
        (r#""account_linking":{"status":"linked"}"#, "account_linking"),
        (r#""request_thread_control":{}"#, "request_thread_control"),
        (r#""policy-enforcement":{"action":"block"}"#, "policy_enforcement"),
    ] {
        social(&messenger(members), &[&format!("withheld filtered {name}")]);
    }
    social(&messenger(r#""hologram":{}"#), &["withheld unmapped messaging"]);
    social(
        r#"{"object":"user","entry":[{"id":"0","time":1,"changes":[{"field":"email","value":"a@b.example"}]}]}"#,
        &["withheld unmapped email"],
    );
    social(
        r#"{"object":"permissions","entry":[{"changes":[{"field":"connected","verb":"granted"}]}]}"#,
        &["withheld unmapped connected"],
    );
    social(r#"{"object":"page","entry":[]}"#, &["withheld filtered page"]);
    social(r#"{"object":"page","entry":null}"#, &["withheld filtered page"]);
}

#[test]
fn a_deployment_may_name_other_fields() {
    let rating = r#"{"object":"page","entry":[{"id":"77","time":1700000100,"changes":[{"field":"ratings","value":{"item":"rating",
        "verb":"add","open_graph_story_id":4,"reviewer_id":501,"rating":2,"review_text":"meh","created_time":1700000000}}]}]}"#;
    social(rating, &["withheld unmapped ratings"]);
    let names = Names(Some(("ratings", TouchpointType::ReviewSubmitted)));
    check(
        &entries_with(SourceKind::Social, rating, Header::default(), names),
        &[
            r#"review.submitted social id= at=1700000000000 rev=1700000000000 handle!facebook:77:501 stars=2/1..5 public text="meh""#,
        ],
    );
}

#[test]
fn instagram_ids_are_scoped_to_the_account() {
    let text = r#"{"object":"instagram","entry":[{"id":"880","time":1700000100,"changes":[
        {"field":"comments","value":{"id":"c1","text":"where is my order?","parent_id":"c0","from":{"id":"501","username":"u"},"media":{"id":"p1","media_product_type":"FEED"}}},
        {"field":"live_comments","value":{"id":"c2","text":"thanks","from":{"id":"880"},"media":{"id":"p1"}}},
        {"field":"messages","value":{"sender":{"id":"501"},"recipient":{"id":"880"},"timestamp":"1700000099","message":{"mid":"d1","text":"hi"}}},
        {"field":"story_insights","value":{"media_id":"p2","exits":1}}]}]}"#;
    social(
        text,
        &[
            r#"message.received social id=c1 at=1700000100000 rev=1700000100000 handle!instagram:880:501 conversation_id=p1 post_id=p1 parent_id=c0 public text="where is my order?""#,
            r#"message.sent social id=c2 at=1700000100000 rev=1700000100000 conversation_id=p1 post_id=p1 public"#,
            r#"message.received social id=d1 at=1700000099000 rev=1700000099000 handle!instagram:880:501 conversation_id=instagram:880:501 text="hi""#,
            r#"withheld unmapped story_insights"#,
        ],
    );
}

#[test]
fn entries_keep_their_order_and_bad_ones_leave_their_siblings() {
    let text = r#"{"object":"page","entry":[{"id":"77","time":1,"messaging":[{"sender":{"id":"501"},"timestamp":1700000100000,"message":{"mid":"m1"}}],
        "changes":[{"field":"feed","value":{"item":"post","item":"post"}},{"field":"feed","value":7},{"field":"feed"}]}]}"#;
    social(
        text,
        &[
            r#"rejected invalid_field "#,
            r#"withheld unmapped feed"#,
            r#"withheld unmapped feed"#,
            r#"message.received social id=m1 at=1700000100000 rev=1700000100000 handle!facebook:77:501 conversation_id=facebook:77:501"#,
        ],
    );
    social(r#"{"object":"page","entry":"#, &["rejected undecodable "]);
}
