package throughline.peers.job;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * Score records as JSON, with the fields of the score topic.
 *
 * <p>Not for several threads at once.
 */
public final class ScoreWriter {
    /** Name of the header that names the encoding, and its value. */
    public static final String CONTENT_TYPE = "content-type";

    private static final byte[] JSON = {
        'a', 'p', 'p', 'l', 'i', 'c', 'a', 't', 'i', 'o', 'n', '/', 'j', 's', 'o', 'n'
    };

    private final JsonFactory json = JsonFactory.builder().enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER).build();
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(1_024);
    private final String tenant;

    /** @param tenant of the deployment */
    public ScoreWriter(String tenant) {
        this.tenant = tenant;
    }

    /** Value of the header that names the encoding. */
    public static byte[] contentType() {
        return JSON;
    }

    /** Value of a score record. */
    public byte[] write(byte[] customer, Score score, long version, long emittedAt) {
        buffer.reset();
        try (JsonGenerator out = json.createGenerator(buffer)) {
            out.writeStartObject();
            out.writeStringField("tenant", tenant);
            out.writeStringField("as_of", Instants.format(score.asOf()));
            out.writeStringField("emitted_at", Instants.format(emittedAt));
            out.writeStringField("model_version", Model.VERSION);
            out.writeBooleanField("mixed", false);
            out.writeStringField("customer_id", CustomerId.text(customer));
            out.writeNumberField("version", version);
            writeNumbers(out, score);
            out.writeEndObject();
        } catch (IOException error) {
            throw new UncheckedIOException("writing to memory cannot fail", error);
        }
        return buffer.toByteArray();
    }

    private static void writeNumbers(JsonGenerator out, Score score) throws IOException {
        out.writeNumberField("overall", score.relationship());
        out.writeNumberField("moment", score.moment());
        out.writeNumberField("relationship", score.relationship());
        out.writeNumberField("lifetime", score.lifetime());
        out.writeNumberField("touchpoints", score.touchpoints());
        out.writeNumberField("uncertainty", score.uncertainty());
        out.writeNumberField("coverage", score.coverage());
        writeChannels(out, score);
        writeBaseline(out, score);
        writePresent(out, "consistency", score.consistency());
        writePresent(out, "channel_gap", score.channelGap());
        out.writeStringField("churn_model", "none");
        out.writeBooleanField("at_risk", false);
        out.writeObjectFieldStart("evidence_mix");
        out.writeNumberField("survey", score.mix()[Evidence.SURVEY.ordinal()]);
        out.writeNumberField("text", score.mix()[Evidence.TEXT.ordinal()]);
        out.writeNumberField("fact", score.mix()[Evidence.FACT.ordinal()]);
        out.writeNumberField("promise", score.mix()[Evidence.PROMISE.ordinal()]);
        out.writeEndObject();
        writeReasons(out, score);
        out.writeNumberField("other", score.other());
        out.writeNumberField("prior", score.prior());
        out.writeNumberField("observed_share", score.observedShare());
    }

    private static void writeChannels(JsonGenerator out, Score score) throws IOException {
        out.writeArrayFieldStart("channels");
        for (int at = 0; at < score.channels().size(); at++) {
            out.writeStartObject();
            out.writeStringField("channel", score.channels().get(at).code());
            out.writeStringField("last_at", Instants.format(score.channelLastAt()[at]));
            out.writeBooleanField("seen", score.isSeen(at));
            out.writeEndObject();
        }
        out.writeEndArray();
    }

    private static void writeBaseline(JsonGenerator out, Score score) throws IOException {
        if (Double.isNaN(score.baselineMean())) {
            return;
        }
        out.writeObjectFieldStart("baseline");
        out.writeNumberField("mean", score.baselineMean());
        out.writeNumberField("sd", score.baselineSpread());
        writePresent(out, "z", score.baselineZ());
        out.writeNumberField("n", score.touchpoints());
        out.writeEndObject();
    }

    private static void writePresent(JsonGenerator out, String name, double value) throws IOException {
        if (!Double.isNaN(value)) {
            out.writeNumberField(name, value);
        }
    }

    private static void writeReasons(JsonGenerator out, Score score) throws IOException {
        out.writeArrayFieldStart("reasons");
        for (int at = 0; at < score.reasons().size(); at++) {
            Entry reason = score.reasons().get(at);
            out.writeStartObject();
            out.writeStringField("touchpoint_id", CustomerId.text(reason.id()));
            out.writeNumberField("contribution", score.contributions()[at]);
            out.writeStringField("code", reason.type().code());
            out.writeEndObject();
        }
        out.writeEndArray();
    }
}
