package throughline.peers.streams;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import throughline.peers.job.SegmentNormalizer;
import throughline.peers.job.Touchpoint;

/** The first hop: calls in, touchpoints by customer out. */
final class NormalizeProcessor implements Processor<byte[], byte[], byte[], Touchpoint> {
    private final SegmentNormalizer normalizer;
    private ProcessorContext<byte[], Touchpoint> context;

    NormalizeProcessor(Options options) {
        normalizer = new SegmentNormalizer(options.key(), options.tenant());
    }

    @Override
    public void init(ProcessorContext<byte[], Touchpoint> context) {
        this.context = context;
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        try {
            normalizer.normalize(record.value(), record.timestamp(), touchpoint ->
                    context.forward(new Record<>(touchpoint.customer(), touchpoint, record.timestamp())));
        } catch (IOException error) {
            throw new UncheckedIOException("a call that is no JSON", error);
        }
    }
}
