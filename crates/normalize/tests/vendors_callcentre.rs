//! Amazon Connect, Contact Lens and the generic contact: what each shape that is documented becomes.

mod vendors_common;

use throughline_model::SourceKind;
use vendors_common::{Header, check, entries, entries_as};

fn call(text: &str, expected: &[&str]) {
    check(&entries(SourceKind::CallCentre, text), expected);
}

const ENVELOPE: &str = r#""version":"0","id":"e1","source":"aws.connect","account":"1","time":"2024-05-01T10:30:00Z","region":"eu-central-1","resources":[]"#;

#[test]
fn each_step_of_a_contact_is_one_touchpoint() {
    let event = |kind: &str, members: &str| {
        format!(
            r#"{{"eventType":"{kind}","contactId":"c2","channel":"VOICE","initiationTimestamp":"2024-05-01T10:00:00.000Z",{members}}}"#
        )
    };
    let queue = r#""queueInfo":{"queueType":"STANDARD","queueArn":"arn:aws:connect:r:1:instance/i/queue/q7","enqueueTimestamp":"2024-05-01T10:01:00Z"}"#;
    let agent = r#""agentInfo":{"agentArn":"arn:aws:connect:r:1:instance/i/agent/a9","connectedToAgentTimestamp":"2024-05-01T10:03:30Z"}"#;
    let c2 = "visit!src:call:c2 conversation_id=c2";
    call(
        &event(
            "INITIATED",
            r#""initiationMethod":"INBOUND","customerEndpoint":{"address":"+4917000001","type":"TELEPHONE_NUMBER"},"attributes":{"customerId":"K1","email":"kim@x.example","order_id":7}"#,
        ),
        &[
            "contact.started phone id=c2/contact.started at=1714557600000 visit!src:call:c2 phone!+4917000001 customer_id!K1 email?kim@x.example conversation_id=c2 order_id=7",
        ],
    );
    call(
        &event("INITIATED", r#""initiationMethod":"CALLBACK""#),
        &[&format!("contact.started phone outbound id=c2/contact.started at=1714557600000 {c2}")],
    );
    call(
        &event("INITIATED", r#""initiationMethod":"API""#),
        &[&format!("contact.started phone outbound id=c2/contact.started at=1714557600000 {c2}")],
    );
    call(
        &event("INITIATED", r#""initiationMethod":"TRANSFER","previousContactId":"c1","initialContactId":"c1""#),
        &[
            "contact.transferred phone id=c2/contact.transferred at=1714557600000 visit!src:call:c2 visit!src:call:c1 conversation_id=c1",
        ],
    );
    call(
        &event("QUEUED", queue),
        &[&format!("contact.queued phone id=c2/contact.queued at=1714557660000 {c2} team=q7")],
    );
    call(
        &event("CONNECTED_TO_AGENT", &format!("{queue},{agent}")),
        &[&format!("response.sent phone id=c2/response.sent at=1714557810000 {c2} staff=a9 team=q7 wait=150000")],
    );
    let end = r#""disconnectTimestamp":"2024-05-01T10:10:00Z","disconnectReason":"CUSTOMER_DISCONNECT""#;
    call(
        &event("DISCONNECTED", &format!("{queue},{agent},{end}")),
        &[&format!(
            "contact.ended phone id=c2/contact.ended at=1714558200000 {c2} staff=a9 team=q7 wait=150000 handle=390000"
        )],
    );
    call(
        &event("DISCONNECTED", &format!("{queue},{end}")),
        &[&format!("contact.abandoned phone id=c2/contact.abandoned at=1714558200000 {c2} team=q7 wait=540000")],
    );
    call(&event("DISCONNECTED", end), &[&format!("contact.ended phone id=c2/contact.ended at=1714558200000 {c2}")]);
    call(&event("CONTACT_DATA_UPDATED", end), &["withheld filtered CONTACT_DATA_UPDATED"]);
    call(&event("INITIATED", r#""initiationMethod":"MONITOR""#), &["withheld filtered INITIATED"]);
}

#[test]
fn key_case_and_envelope_may_vary() {
    let text = format!(
        r#"{{{ENVELOPE},"detail-type":"Amazon Connect Contact Event","detail":{{"EventType":"Disconnected","ContactId":"c3","Channel":"Chat",
        "QueueInfo":{{"QueueArn":"q","EnqueueTimestamp":"2024-05-01T10:01:00Z"}},"AgentInfo":{{"AgentArn":"a","connectedToAgentTimestamp":"2024-05-01T10:02:00Z"}},
        "attributes":{{"Customer-ID":"K1","isVerified":"false"}},"tags":{{}}}}}}"#
    );
    call(
        &text,
        &[
            "contact.ended chat id=c3/contact.ended at=1714559400000 visit!src:call:c3 customer_id?K1 conversation_id=c3 staff=a team=q wait=60000",
        ],
    );
    let task = format!(
        r#"{{{ENVELOPE},"detail-type":"Amazon Connect Contact Event","detail":{{"eventType":"INITIATED","contactId":"c3","channel":"TASK"}}}}"#
    );
    call(&task, &["withheld filtered INITIATED"]);
    call(r#"{"eventType":"QUEUED","contactId":""}"#, &["rejected missing_field contactId"]);
}

#[test]
fn a_contact_record_tells_the_whole_contact_with_its_revision() {
    let text = r#"{"AWSAccountId":"1","AWSContactTraceRecordFormatVersion":"2017-03-10","ContactId":"c2","InitialContactId":null,"PreviousContactId":null,
        "Channel":"VOICE","InitiationMethod":"INBOUND","InitiationTimestamp":"2024-05-01T10:00:00Z","DisconnectTimestamp":"2024-05-01T10:10:00Z",
        "TransferCompletedTimestamp":"2024-05-01T10:09:00Z","LastUpdateTimestamp":"2024-05-01T10:20:00Z","Attributes":{"customer_id":"K1"},
        "CustomerEndpoint":{"Address":"+4917000001","Type":"TELEPHONE_NUMBER"},"Recordings":null,
        "Queue":{"ARN":"arn:x:queue/q7","Name":"Basic","Duration":150,"EnqueueTimestamp":"2024-05-01T10:01:00Z","DequeueTimestamp":"2024-05-01T10:03:30Z"},
        "Agent":{"ARN":"arn:x:agent/a9","Username":"sam","ConnectedToAgentTimestamp":"2024-05-01T10:03:30Z","AgentInteractionDuration":200,
            "CustomerHoldDuration":"190","LongestHoldDuration":130,"NumberOfHolds":2}}"#;
    let about =
        "rev=1714558800000 visit!src:call:c2 phone!+4917000001 customer_id!K1 conversation_id=c2 staff=a9 team=q7";
    call(
        text,
        &[
            &format!("contact.started phone id=c2/contact.started at=1714557600000 {about}"),
            &format!("contact.queued phone id=c2/contact.queued at=1714557660000 {about} wait=150000"),
            &format!("response.sent phone id=c2/response.sent at=1714557810000 {about} wait=150000"),
            &format!("contact.held phone id=c2/contact.held at=1714557810000 {about} hold=130000"),
            &format!("contact.transferred phone id=c2/contact.transferred/2 at=1714558140000 {about}"),
            &format!(
                "contact.ended phone id=c2/contact.ended at=1714558200000 {about} wait=150000 hold=190000 handle=390000"
            ),
        ],
    );
    let abandoned = r#"{"AWSContactTraceRecordFormatVersion":"2017-03-10","ContactId":"c4","Channel":"VOICE","Agent":null,
        "InitiationMethod":"INBOUND","Queue":{"EnqueueTimestamp":"2024-05-01T10:01:00Z","Duration":60},"DisconnectTimestamp":"2024-05-01T10:02:00Z"}"#;
    call(
        abandoned,
        &[
            "contact.queued phone id=c4/contact.queued at=1714557660000 visit!src:call:c4 conversation_id=c4 wait=60000",
            "contact.abandoned phone id=c4/contact.abandoned at=1714557720000 visit!src:call:c4 conversation_id=c4 wait=60000",
        ],
    );
    call(
        r#"{"ContactId":"c5","Channel":"TASK","InitiationTimestamp":"2024-05-01T10:00:00Z"}"#,
        &["withheld filtered TASK"],
    );
}

#[test]
fn the_agent_stream_has_no_customer() {
    let text = r#"{"AWSAccountId":"1","AgentARN":"arn:x:agent/a9","CurrentAgentSnapshot":{"Contacts":[{"ContactId":"c2"}]},"EventId":"e","EventTimestamp":"2024-05-01T10:00:00Z","EventType":"STATE_CHANGE","Version":"2017-10-01"}"#;
    call(text, &["withheld filtered STATE_CHANGE"]);
    call(
        r#"{"AgentARN":"a", // why
        "EventType":"LOGIN"}"#,
        &["rejected undecodable "],
    );
}

#[test]
fn an_analysis_takes_the_sentiment_of_the_customer_alone() {
    let text = r#"{"Version":"1.1.0","AccountId":"1","Channel":"VOICE","JobStatus":"COMPLETED","LanguageCode":"en-US","CustomModels":[],
        "CustomerMetadata":{"ContactId":"c2","InputS3Uri":"s3://x","InstanceId":"i"},
        "Participants":[{"ParticipantId":"p0","ParticipantRole":"AGENT"},{"ParticipantId":"p1","ParticipantRole":"CUSTOMER"}],
        "Categories":{"MatchedCategories":["Cancel-Plan","greeting"],"MatchedDetails":{}},
        "ConversationCharacteristics":{"TotalConversationDurationMillis":32110,"Sentiment":{"OverallSentiment":{"p0":4,"p1":-2.5},"SentimentByPeriod":{}},
            "Interruptions":{"TotalCount":0},"NonTalkTime":{"TotalTimeMillis":0,"Instances":[]}},
        "Transcript":[{"ParticipantId":"p1","Content":"I want to cancel.","Sentiment":"NEGATIVE"}]}"#;
    call(
        text,
        &[
            "contact.analyzed phone id=c2/contact.analyzed at=Missing visit!src:call:c2 conversation_id=c2 sentiment=-2.5/-5..5 exit~0.9 code=Cancel-Plan code=greeting handle=32110 lang=en-US labeled",
        ],
    );
    call(&format!("{text}\n}}"), &["rejected undecodable "]);
    let chat = r#"{"AccountId":"1","Channel":"CHAT","ChatTranscriptVersion":"2019-08-26","JobStatus":"COMPLETED","LanguageCode":"en-US","CustomerMetadata":{"ContactId":"c6"},
        "Participants":[{"ParticipantId":"u1","ParticipantRole":"CUSTOMER"}],"Categories":{"MatchedCategories":[]},
        "ConversationCharacteristics":{"Sentiment":{"OverallSentiment":{"DetailsByParticipantRole":{"AGENT":1.5,"CUSTOMER":3},"DetailsByInteraction":{"DetailsByParticipantRole":{}}}}},
        "Transcript":[{"ParticipantId":"u1","AbsoluteTime":"2024-05-01T10:00:00Z"},{"ParticipantId":"u1","AbsoluteTime":"2024-05-01T10:05:00.000Z","Content":"thanks"}]}"#;
    call(
        chat,
        &[
            "contact.analyzed chat id=c6/contact.analyzed at=1714557900000 visit!src:call:c6 conversation_id=c6 sentiment=3/-5..5 lang=en-US labeled",
        ],
    );
    let mail = r#"{"Channel":"EMAIL","JobStatus":"COMPLETED","LanguageCode":"en-US","ContactId":"c7","ConversationCharacteristics":{"ContactSummary":{}},
        "Participants":[{"ParticipantId":"CUSTOMER","ParticipantRole":"CUSTOMER"}],"Transcript":[{"ParticipantId":"CUSTOMER","Content":"where is it"},{"ParticipantId":"AGENT","Content":"here"}]}"#;
    call(
        mail,
        &[
            r#"contact.analyzed email id=c7/contact.analyzed at=Missing visit!src:call:c7 conversation_id=c7 lang=en-US text="where is it\n""#,
        ],
    );
    call(
        r#"{"JobStatus":"FAILED","LanguageCode":"en-US","Channel":"VOICE"}"#,
        &["withheld filtered analysis without a result"],
    );
    call(
        r#"{"ContactId":"c2","EventType":"SEGMENTS","LanguageCode":"en-US","Segments":[{}]}"#,
        &["withheld filtered analysis without a result"],
    );
    let notice = format!(
        r#"{{{ENVELOPE},"detail-type":"Contact Lens Analysis State Change","detail":{{"contact":"arn:x:contact/c2","state":"FAILED"}}}}"#
    );
    call(&notice, &["withheld filtered analysis notice"]);
}

#[test]
fn a_matched_rule_is_a_code_and_an_intent() {
    let rule = |title: &str, rule: &str| {
        format!(
            r#"{{{ENVELOPE},"detail-type":"{title}","detail":{{"version":"1.0","ruleName":"{rule}","actionName":"TELL","instanceArn":"arn:x:instance/i",
            "contactArn":"arn:x:instance/i/contact/c2","agentArn":"arn:x:instance/i/agent/a9","queueArn":"arn:x:instance/i/queue/q7"}}}}"#
        )
    };
    let about = "at=1714559400000 visit!src:call:c2 conversation_id=c2 staff=a9 team=q7";
    for title in [
        "Contact Lens Realtime Rules Matched",
        "Contact Lens Post Call Rules Matched",
        "Contact Lens Post-Call Rules Matched",
    ] {
        call(
            &rule(title, "ACCOUNT_CANCELLATION"),
            &[&format!(
                "contact.analyzed phone id=c2/contact.analyzed/ACCOUNT_CANCELLATION {about} exit~0.9 code=ACCOUNT_CANCELLATION"
            )],
        );
    }
    call(
        &rule("Contact Lens Realtime Rules Matched", "Greeting"),
        &[&format!("contact.analyzed phone id=c2/contact.analyzed/Greeting {about} code=Greeting")],
    );
}

#[test]
fn the_generic_contact_tells_each_step_it_knows() {
    let text = r#"{"contact_id":"t1","case_id":"9","channel":"voice","direction":"inbound","reason":"billing","started_at":"2024-05-01T10:00:00Z",
        "queue_wait_s":"60","answered_at":"2024-05-01T10:01:00Z","hold_ms":125000,"transfers":1,"ended_at":"2024-05-01T10:10:00Z","outcome":"unresolved",
        "callback_promised_at":"2024-05-02T10:00:00Z","agent":"a9","team":"first","provider":"acme","updated_at":"2024-05-01T11:00:00Z","customer_id":"K1","phone":"1"}"#;
    let about = "rev=1714561200000 customer_id!K1 phone?1 visit!src:call:t1 visit!src:ticket:9 conversation_id=t1 case_id=9 staff=a9 team=first provider=acme";
    call(
        text,
        &[
            &format!("contact.started phone id=t1/contact.started at=1714557600000 {about}"),
            &format!("contact.queued phone id=t1/contact.queued at=1714557600000 {about} wait=60000"),
            &format!("response.sent phone id=t1/response.sent at=1714557660000 {about} wait=60000"),
            &format!("contact.held phone id=t1/contact.held at=1714557660000 {about} hold=125000"),
            &format!("contact.transferred phone id=t1/contact.transferred at=1714558200000 {about}"),
            &format!(
                "contact.ended phone id=t1/contact.ended at=1714558200000 {about} promise callback 9 resolved=false wait=60000 hold=125000 handle=540000"
            ),
        ],
    );
    call(
        r#"{"contact_id":"t2","channel":"chat","queued_at":"2024-05-01T10:00:00Z","abandoned":true,"ended_at":"2024-05-01T10:05:00Z"}"#,
        &[
            "contact.queued chat id=t2/contact.queued at=1714557600000 visit!src:call:t2 conversation_id=t2",
            "contact.abandoned chat id=t2/contact.abandoned at=1714557900000 visit!src:call:t2 conversation_id=t2",
        ],
    );
    let typed =
        r#"{"contact_id":"t3","type":"contact.redirected","occurred_at":"2024-05-01T10:00:00Z","channel":"email"}"#;
    check(
        &entries_as("contact", SourceKind::CallCentre, typed, Header::default()),
        &["contact.redirected email id=t3/contact.redirected at=1714557600000 visit!src:call:t3 conversation_id=t3"],
    );
    call(r#"{"contact_id":"t4"}"#, &["withheld filtered contact without a step"]);
    call(r#"{"contact_id":"t4","type":"lunch"}"#, &["withheld unmapped lunch"]);
}
