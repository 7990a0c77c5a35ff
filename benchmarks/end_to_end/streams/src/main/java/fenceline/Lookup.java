package fenceline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.locationtech.jts.geom.Coordinate;
import org.locationtech.jts.geom.Envelope;
import org.locationtech.jts.geom.GeometryFactory;
import org.locationtech.jts.geom.prep.PreparedGeometry;
import org.locationtech.jts.geom.prep.PreparedGeometryFactory;
import org.locationtech.jts.index.strtree.STRtree;

/** Looks fixes up in an STRtree of prepared fences; a hit goes to the topic `hits`. Arguments: broker, fences, topic, threads. */
public final class Lookup {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final GeometryFactory GEOMETRY = new GeometryFactory();

  private record Fence(String id, PreparedGeometry shape) {}

  public static void main(String[] args) throws Exception {
    STRtree tree = read(new File(args[1]));
    StreamsBuilder builder = new StreamsBuilder();
    builder.<byte[], byte[]>stream(args[2])
        .flatMapValues(value -> hits(tree, value))
        .to("hits");
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "streams");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[3]);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put("consumer.auto.offset.reset", "earliest");
    settings.put("producer.linger.ms", 5);
    settings.put("state.dir", args[4]);
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static STRtree read(File file) throws Exception {
    STRtree tree = new STRtree();
    for (JsonNode feature : JSON.readTree(file).get("features")) {
      JsonNode ring = feature.get("geometry").get("coordinates").get(0);
      Coordinate[] corners = new Coordinate[ring.size()];
      for (int i = 0; i < corners.length; i++) {
        corners[i] = new Coordinate(ring.get(i).get(0).asDouble(), ring.get(i).get(1).asDouble());
      }
      var polygon = GEOMETRY.createPolygon(corners);
      String id = feature.get("properties").get("fence_id").asText();
      tree.insert(polygon.getEnvelopeInternal(), new Fence(id, PreparedGeometryFactory.prepare(polygon)));
    }
    tree.build();
    return tree;
  }

  /** Of one fix or of a frame of them. */
  private static List<byte[]> hits(STRtree tree, byte[] value) {
    List<byte[]> found = new ArrayList<>();
    try {
      JsonNode node = JSON.readTree(value);
      if (node.isArray()) {
        for (JsonNode fix : node) {
          look(tree, fix, found);
        }
      } else {
        look(tree, node, found);
      }
    } catch (Exception unreadable) {
      return found;
    }
    return found;
  }

  private static void look(STRtree tree, JsonNode fix, List<byte[]> found) {
    Coordinate at = new Coordinate(fix.get("lon").asDouble(), fix.get("lat").asDouble());
    for (Object one : tree.query(new Envelope(at))) {
      Fence fence = (Fence) one;
      if (fence.shape().contains(GEOMETRY.createPoint(at))) {
        String hit = "{\"device_id\":\"" + fix.get("device_id").asText() + "\",\"at\":\""
            + fix.get("fix_time").asText() + "\",\"fence\":\"" + fence.id() + "\"}";
        found.add(hit.getBytes(StandardCharsets.UTF_8));
      }
    }
  }
}
