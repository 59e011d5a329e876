package throughline.peers.job;

import java.util.List;

/**
 * Everything a score record says, read at one time. Numbers are rounded to six decimals; one that is absent is not a number.
 *
 * @param asOf milliseconds since 1970
 * @param channels channels ever used with their latest use, milliseconds since 1970
 * @param mix shares of the relationship weight by kind of evidence
 * @param reasons strongest first
 * @param contributions points of each reason
 */
public record Score(
        long asOf,
        double moment,
        double relationship,
        double lifetime,
        int touchpoints,
        double uncertainty,
        double coverage,
        List<Channel> channels,
        long[] channelLastAt,
        double baselineMean,
        double baselineSpread,
        double baselineZ,
        double consistency,
        double channelGap,
        double[] mix,
        List<Entry> reasons,
        double[] contributions,
        double other,
        double prior,
        double observedShare) {

    /** Whether a channel was used within the window of coverage. */
    boolean isSeen(int channel) {
        return channelLastAt[channel] > asOf - Model.COVERAGE_WINDOW;
    }

    /** The numbers that decide whether another record is due. */
    double[] published() {
        return new double[] {
            moment, relationship, lifetime, uncertainty, coverage, consistency, channelGap, baselineZ
        };
    }
}
