package throughline.peers.job;

import java.util.Arrays;

/**
 * What one recent touchpoint contributed; also what a reason is made of.
 *
 * @param id 16 bytes
 * @param occurredAt milliseconds since 1970
 * @param receivedAt milliseconds since 1970
 * @param valence in units of 1e-4
 * @param weight in units of 1e-3; 0 without evidence
 * @param type of the touchpoint
 * @param channel of the touchpoint
 */
record Entry(byte[] id, long occurredAt, long receivedAt, int valence, int weight, TouchpointType type, Channel channel) {

    /** Values a touchpoint: evidence to valence and weight. */
    static Entry of(Touchpoint touchpoint) {
        double v = 0.0;
        double q = 0.0;
        if (touchpoint.type().fact() != 0.0) {
            v = touchpoint.type().fact();
            q = Model.CONFIDENCE_FACT;
        } else if (!Double.isNaN(touchpoint.stars())) {
            v = Math.max(-1.0, Math.min(1.0, (touchpoint.stars() - 3.0) / 2.0));
            q = Model.CONFIDENCE_SURVEY;
        }
        int valence = (int) Rounding.half(v * 10_000.0);
        double w = valence < 0 ? q * Model.LAMBDA : q;
        return new Entry(
                touchpoint.id(),
                touchpoint.occurredAt(),
                touchpoint.receivedAt(),
                valence,
                (int) Rounding.half(w * 1_000.0),
                touchpoint.type(),
                touchpoint.channel());
    }

    boolean isValenced() {
        return weight > 0;
    }

    double v() {
        return valence / 10_000.0;
    }

    double w() {
        return weight / 1_000.0;
    }

    /** Weight times valence, undecayed. */
    double weighted() {
        return valence * weight / 1e7;
    }

    Evidence evidence() {
        return type.fact() != 0.0 ? Evidence.FACT : Evidence.SURVEY;
    }

    /** Whether it comes behind another one by received time and id. */
    boolean isLaterThan(Entry other) {
        return receivedAt != other.receivedAt
                ? receivedAt > other.receivedAt
                : Arrays.compareUnsigned(id, other.id) > 0;
    }
}
