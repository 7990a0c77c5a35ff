module fenceline/benchmarks/fence_lookup/peer

go 1.24

require (
	github.com/tidwall/geojson v1.4.5
	github.com/tidwall/redcon v1.6.4
	github.com/tidwall/rtree v1.10.0
)

require (
	github.com/tidwall/btree v1.1.0 // indirect
	github.com/tidwall/geoindex v1.7.0 // indirect
	github.com/tidwall/gjson v1.12.1 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	github.com/tidwall/sjson v1.2.4 // indirect
)
