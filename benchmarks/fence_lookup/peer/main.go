// A server that does with Tile38's own libraries (redcon's protocol, the same R-tree, the same GeoJSON geometry with
// its default indexing) what Tile38 does for SET, DROP and INTERSECTS, and nothing else of it: no journal, fields, expiry or
// hooks. Where Tile38's server cannot be had, it shows what that design reaches at best.
package main

import (
	"flag"
	"log"
	"strings"
	"sync"

	"github.com/tidwall/geojson"
	"github.com/tidwall/redcon"
	"github.com/tidwall/rtree"
)

type fence struct {
	id     string
	object geojson.Object
}

type store struct {
	sync.RWMutex
	fences map[string]fence
	tree   rtree.RTreeG[fence]
}

func box(object geojson.Object) (low, high [2]float64) {
	rect := object.Rect()
	return [2]float64{rect.Min.X, rect.Min.Y}, [2]float64{rect.Max.X, rect.Max.Y}
}

func (s *store) set(id, text string) error {
	object, err := geojson.Parse(text, nil)
	if err != nil {
		return err
	}
	s.Lock()
	defer s.Unlock()
	if old, known := s.fences[id]; known {
		low, high := box(old.object)
		s.tree.Delete(low, high, old)
	}
	one := fence{id, object}
	s.fences[id] = one
	low, high := box(object)
	s.tree.Insert(low, high, one)
	return nil
}

func (s *store) drop() {
	s.Lock()
	defer s.Unlock()
	s.fences, s.tree = map[string]fence{}, rtree.RTreeG[fence]{}
}

func (s *store) intersects(text string) ([]string, error) {
	object, err := geojson.Parse(text, nil)
	if err != nil {
		return nil, err
	}
	s.RLock()
	defer s.RUnlock()
	var ids []string
	low, high := box(object)
	s.tree.Search(low, high, func(_, _ [2]float64, one fence) bool {
		if one.object.Intersects(object) {
			ids = append(ids, one.id)
		}
		return true
	})
	return ids, nil
}

func main() {
	port := flag.String("p", "9851", "port")
	host := flag.String("h", "127.0.0.1", "address")
	flag.String("d", "", "folder; nothing is kept")
	flag.String("appendonly", "no", "nothing is journaled")
	flag.Parse()
	held := store{fences: map[string]fence{}}
	handle := func(conn redcon.Conn, cmd redcon.Command) {
		words := cmd.Args
		switch strings.ToUpper(string(words[0])) {
		case "SET": // SET key id OBJECT geojson
			if err := held.set(string(words[2]), string(words[len(words)-1])); err != nil {
				conn.WriteError("ERR " + err.Error())
				return
			}
			conn.WriteString("OK")
		case "DROP": // DROP key; there is but one
			held.drop()
			conn.WriteInt(1)
		case "INTERSECTS": // INTERSECTS key LIMIT n IDS OBJECT geojson
			ids, err := held.intersects(string(words[len(words)-1]))
			if err != nil {
				conn.WriteError("ERR " + err.Error())
				return
			}
			conn.WriteArray(2)
			conn.WriteInt(0)
			conn.WriteArray(len(ids))
			for _, id := range ids {
				conn.WriteBulkString(id)
			}
		default:
			conn.WriteError("ERR unknown command")
		}
	}
	accept := func(redcon.Conn) bool { return true }
	log.Fatal(redcon.ListenAndServe(*host+":"+*port, handle, accept, func(redcon.Conn, error) {}))
}
